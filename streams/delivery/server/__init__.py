"""HTTP server of the API: its settings, and limits on connections."""
