"""Recounts: recomputes alerts from case versions by independent code, to check the stream."""
