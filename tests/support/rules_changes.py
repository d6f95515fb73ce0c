"""A change of rules: the rule `ic` is gone, and a window by month is new."""

from detectors.rules import load_rules
from schemas.rules_change import RulesChange
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.core.detection.rules_in_force import rules_change, rules_of
from tests.support.four_steps import BEGIN

__all__ = ["changed"]


def changed(number: int = 2) -> RulesChange:
    """Return the change as a detector publishes it, the second record by default."""
    before = rules_of(Detector([WindowSpec.parse("cumulative")], load_rules(["mhra", "ic"])))
    windows = map(WindowSpec.parse, ("cumulative", "month"))
    now = rules_of(Detector(windows, load_rules(["mhra"])))
    watermark = BEGIN.toordinal() - 719_163  # ordinal of 1970-01-01
    return rules_change(before, now, number=number, watermark=watermark)
