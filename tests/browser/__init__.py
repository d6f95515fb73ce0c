"""Tests of pages in a real Chromium. A package, so that its fixtures may have that scope."""
