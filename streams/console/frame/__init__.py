"""What every page shares: templates, texts, formats, sessions and headers."""
