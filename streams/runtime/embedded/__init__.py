"""The stages in one process without a broker: replay and backtest."""
