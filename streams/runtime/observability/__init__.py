"""Metrics, health, logs and traces of a running stage."""
