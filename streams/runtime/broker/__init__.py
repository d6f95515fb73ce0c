"""The Kafka client: the only room that imports kafka."""
