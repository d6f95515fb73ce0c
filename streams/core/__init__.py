"""The pure half: reports become cases, counts, signals and alerts; no clock, disk or Kafka."""
