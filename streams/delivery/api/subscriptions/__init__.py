"""Subscriptions of one subscriber: made, previewed, paused and resumed, for routes and pages."""
