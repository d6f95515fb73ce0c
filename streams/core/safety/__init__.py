"""Safety alerts, which need no statistics: clusters, fatal cases, rumours; and reporting duties."""
