"""One-off commands of operators and assessors: publish, verify, rebuild, redrive, recount."""
