"""What an operator or assessor runs once: publish, verify, rebuild, redrive, recount."""
