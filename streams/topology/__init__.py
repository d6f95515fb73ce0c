"""Pure transitions: typed events and frames in, typed changes out; no clock, no Kafka, no disk."""
