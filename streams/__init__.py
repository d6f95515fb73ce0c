"""From report to alert: intake and core (pure), runtime (the shell), delivery, exports, cli."""
