"""The HTTP API: alerts, cases by tier, subscriptions, decisions and verifications."""
