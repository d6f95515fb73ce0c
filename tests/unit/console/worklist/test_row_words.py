"""Words of a row: change, priority, rules, duty and verification."""

from datetime import date
from typing import Any

import pytest

from schemas.priority import Priority, PriorityLevel
from schemas.safety_alert import SafetyChange
from schemas.vocabulary import VerificationState
from streams.console.frame.texts import texts_in
from streams.console.worklist.row_words import (
    Part,
    bar_of,
    duty_words,
    priority_parts,
    rule_boxes,
    state_counts,
    why_changed,
)
from streams.core.alerts.priority import priority_on
from streams.core.wording.catalogue import Language
from tests.support.alerts import safety, signal

EN, JA = texts_in(Language.ENGLISH), texts_in(Language.JAPANESE)


def copy_of(n: int, ic_lower: float | None = 1.25, **fields: Any) -> dict[str, Any]:
    copy = signal(n).model_dump(mode="json")
    copy["statistics"]["ic_lower"] = ic_lower
    return copy | fields


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [
        (copy_of(7, 1.3, reasons=["more_cases"]), copy_of(3, 0.44), ["+4 cases", "IC025 +0.86"]),
        (
            copy_of(4, 1.2, reasons=["rule_off"]),
            copy_of(3),
            ["+1 case", "IC025 −0.05", "a rule off"],
        ),
        (copy_of(2, None, reasons=["cases_retracted"]), copy_of(3), ["−1 case", "cases withdrawn"]),
        (copy_of(3, reasons=["ic_rose"]), copy_of(3), ["IC025 higher"]),
        (copy_of(3, 1.2501, reasons=["new_lot"]), copy_of(3), ["first case of another lot"]),
        (copy_of(3, reasons=["first"]), None, ["first seen"]),
    ],
)
def test_numbers_come_first_and_say_what_moved(
    now: dict[str, Any], before: dict[str, Any] | None, words: list[str]
) -> None:
    assert why_changed(now, before, EN) == words


def test_a_safety_alert_says_its_first_change() -> None:
    copy = safety().model_dump(mode="json") | {"changes": [SafetyChange.LOTS, SafetyChange.CASES]}
    assert why_changed(copy, None, EN) == ["other lots"]
    assert why_changed(copy, None, JA) == ["ロットの変化"]


def test_parts_of_a_product_multiply_to_the_score_of_the_day() -> None:
    alert = signal(5).model_copy(update={"first_alert_on": date(2023, 12, 1), "n_drug_recent": 30})
    priced = alert.model_copy(update={"priority": priority_on(alert, date(2024, 1, 1))})
    day = date(2024, 3, 1)
    score = 1.0
    for part in priority_parts(priced.model_dump(mode="json"), day, EN):
        assert part.is_factor
        score *= part.value
    assert score == pytest.approx(priority_on(priced, day).score)


def test_parts_of_a_sum_add_up_to_the_total() -> None:
    weighted = Priority(
        total=0.5, level=PriorityLevel.LOW, burst_only=False,
        parts={"deaths": 1.0, "listed": None, "lots": 0.5}, weights={"deaths": 0.25, "lots": 0.5},
    )  # fmt: skip
    copy = safety().model_dump(mode="json") | {"priority": weighted.model_dump(mode="json")}
    parts = priority_parts(copy, date(2024, 1, 1), EN)
    assert [(part.label, part.value) for part in parts] == [("deaths", 0.25), ("lots", 0.25)]
    assert [piece.share for piece in bar_of(parts, 0.5)] == [0.25, 0.25]
    assert priority_parts(copy | {"priority": None}, date(2024, 1, 1), EN) == []


def test_the_bar_of_a_product_is_as_long_as_its_total() -> None:
    parts = [Part(name, name, value, True) for name, value in (("a", 4), ("b", 2), ("c", 0.5))]
    pieces = bar_of(parts, 0.9)
    assert [piece.label for piece in pieces] == ["a", "b"]
    assert [piece.share for piece in pieces] == pytest.approx([0.6, 0.3])
    assert [piece.share for piece in bar_of(parts[2:], 0.2)] == [0.2]


def test_rules_have_boxes_that_tell_them_apart() -> None:
    rules = [
        {"name": name, "title": "", "fired": name == "ema"}
        for name in ("mhra", "ema", "ic", "mhra_eb", "safe")
    ]
    boxes = rule_boxes(rules, EN)
    assert [box.short for box in boxes] == ["M1", "E", "I", "M2", "S"]
    assert [box.name for box in boxes if box.is_on] == ["EMA"]


CONTEXT = {
    "product_class": "culture-supernatant",
    "supply_routes": [{"name": "physician_practice"}],
}


@pytest.mark.parametrize(
    ("context", "words"),
    [
        (None, "unknown"),
        ({**CONTEXT, "countries": []}, "unknown"),
        ({**CONTEXT, "countries": [{"name": "JP"}]}, "Japan: none"),
        ({**CONTEXT, "countries": [{"name": "BR"}]}, "Brazil: unknown"),
        (
            {**CONTEXT, "countries": [{"name": "JP"}, {"name": "BR"}, {"name": "US"}]},
            "Japan: none, Brazil: unknown, 1 more",
        ),
    ],
)
def test_duty_is_said_by_country(context: dict[str, Any] | None, words: str) -> None:
    assert duty_words(copy_of(3, context=context, countries=None), EN) == words


def test_no_unverified_count_is_a_confirmed_one() -> None:
    def states(copy: dict[str, Any]) -> list[tuple[VerificationState | None, int]]:
        return [(one.state, one.n) for one in state_counts(copy)]

    confirmed = VerificationState.HCP_CONFIRMED
    assert states(copy_of(5, n_by_professional=2)) == [(confirmed, 2), (None, 3)]
    assert states(copy_of(5, n_by_professional=None)) == [(confirmed, 0), (None, 5)]
    rumour = safety().model_dump(mode="json") | {
        "verification": "contested",
        "patients": {"at_least": 4},
    }
    assert states(rumour) == [(VerificationState.CONTESTED, 4)]
