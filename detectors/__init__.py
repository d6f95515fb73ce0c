"""Counts in, statistics out: one estimator a file, no clock, no input or output, no Kafka."""
