"""Pictures of signals as SVG: facts in, text out, the same for page, print and file."""
