"""Documents: how a source begins, and reports in JSON: openFDA, arrays of native reports."""
