"""Metrics, health checks, logs and traces of a running stage."""
