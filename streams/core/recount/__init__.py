"""The same numbers by other code: recomputes alerts from case versions, to check the stream."""
