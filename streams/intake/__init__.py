"""Readers of source formats into `schemas.report.Report`, one module per format."""
