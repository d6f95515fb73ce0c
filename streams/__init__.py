"""From report to alert: intake, topology (pure), runtime (the shell), command line."""
