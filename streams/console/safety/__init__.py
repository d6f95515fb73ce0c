"""Safety pages: one subject a page (lot, clinic, series, fatal case, rumour), and all rumours."""
