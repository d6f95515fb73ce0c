"""Files that authorities publish of their databases: JADER, EudraVigilance, Canada, MAUDE."""
