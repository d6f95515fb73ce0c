"""Exact drug-event counts by day and window, as sorted arrays, and the log of their cases."""
