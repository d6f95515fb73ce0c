"""Exact drug-event counts by day and window, kept as sorted arrays, and the log of their cases."""
