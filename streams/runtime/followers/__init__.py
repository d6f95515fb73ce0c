"""Servers that follow topics from their first record and store no offset, for pages."""
