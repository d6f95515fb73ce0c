"""Delivery to subscribers: matching, tiers, outbox, channels, and the HTTP API."""
