"""Disproportionality estimators and signal rules: pure functions of counts, one per module."""
