"""Page of one signal: its revisions, the evidence for and against it, and the decision."""
