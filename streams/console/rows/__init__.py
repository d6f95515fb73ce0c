"""Rows of signals and safety alerts: names, words, cells, and what is inside one."""
