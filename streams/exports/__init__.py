"""Exports: eRMR and READUS-PV tables, spreadsheets, JSON Lines."""
