"""Writes alerts: the summaries of a pair's cases, context, priority and next step."""
