"""Cases of a signal: their lines, their versions, and both as a table of cells."""
