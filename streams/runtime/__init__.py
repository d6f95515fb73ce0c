"""The shell around the core: Kafka, disk, threads, metrics, and the operator's commands."""
