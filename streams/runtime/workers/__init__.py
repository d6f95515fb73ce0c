"""The long-running consumers: case, link and detector workers."""
