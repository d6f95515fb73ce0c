"""Acknowledgements of ICH E2B batches, releases 2 and 3: accepted messages, and broken elements."""
