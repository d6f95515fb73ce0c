"""Audit: who saw and decided what, and whether the log of decisions is whole."""
