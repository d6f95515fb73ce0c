"""The bytes of messages: deltas, alerts, rejects, and the limits of their size."""
