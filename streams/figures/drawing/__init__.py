"""Elements, scales, marks, patterns and texts that the pictures are drawn with."""
