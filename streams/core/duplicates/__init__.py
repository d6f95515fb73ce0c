"""The link stage: which cases are the same event reported twice."""
