"""Link stage: finds cases that report the same event twice."""
