"""Sending to receivers: strict URLs, the network guard, and senders side by side."""
