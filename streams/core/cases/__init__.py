"""Which version of a case holds, and what of it is counted."""
