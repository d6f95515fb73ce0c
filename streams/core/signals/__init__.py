"""Scores pairs, compares them with what was published, and decides which signals change."""
