"""Map of all signals: volcano, heat map, calendar, agreement of rules, and explorers."""
