"""Subscriptions: own ones with what waits, and new ones after a preview of what they bring."""
