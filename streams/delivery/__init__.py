"""Subscriptions: matching, tiers, channels, and the HTTP API."""
