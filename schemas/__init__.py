"""What crosses a boundary: reports, deltas, alerts, frame schemas and the exception tree."""
