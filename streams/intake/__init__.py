"""Source formats to `schemas.report.Report`, one module a format."""
