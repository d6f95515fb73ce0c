"""Pictures of the size of a table cell."""
