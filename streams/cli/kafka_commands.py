"""`tocsin topics`, `publish`, `run` and `alerts`: the same stages on Kafka."""

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
