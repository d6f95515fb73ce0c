"""The shell: Kafka, the embedded log, the state store and the loop that drives the stages."""
