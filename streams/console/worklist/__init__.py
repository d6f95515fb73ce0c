"""Worklist: what changed since the reader's last sign-off, in the order to look at it."""
