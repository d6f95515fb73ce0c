"""Encoding of messages: deltas, alerts, rejects; limits of their size."""
