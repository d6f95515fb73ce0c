"""Subscriptions and channels. Empty on purpose for now."""
