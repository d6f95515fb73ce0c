"""Messages and frames between components: reports, deltas, alerts, counts; and the exceptions."""
