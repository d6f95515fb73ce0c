"""Case versions: which version of a case is current, and the facts of it that are counted."""
