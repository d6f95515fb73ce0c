"""The exosome scenario: a synthetic background, and cases that should raise alerts."""

from streams.demo.scenario import PRODUCT_CLASS, ScenarioStep, background, story

__all__ = ["PRODUCT_CLASS", "ScenarioStep", "background", "story"]
