"""The exosome scenario: a synthetic background and the cases that should ring the bell."""

from streams.demo.scenario import PRODUCT_CLASS, ScenarioStep, background, story

__all__ = ["PRODUCT_CLASS", "ScenarioStep", "background", "story"]
