"""FAERS quarterly archives: layouts of their eras, repairs of damaged rows, reports."""
