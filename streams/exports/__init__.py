"""Files for regulators and colleagues: eRMR, READUS, spreadsheets, JSON lines."""
