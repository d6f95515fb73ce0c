"""Dossier of a signal, to take into a meeting: as a page, and as PDF."""
