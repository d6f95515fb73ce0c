"""The detector stage: applies deltas, evaluates the counts, returns alerts."""
