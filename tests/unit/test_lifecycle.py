"""When a revision is due, of which kind, and why."""

import polars as pl
import pytest

from streams.topology.lifecycle import SIGNALS, decide, publish

A, B = 1, 2  # bits of two rules

NEW = ("new", "a rule fires for the first time")
CLEARED = ("cleared", "no rule fires any more")
AGAIN = ("strengthened", "a rule fires again after clearance")
LOST = ("weakened", "a rule no longer fires")
RETRACTED = ("weakened", "cases were retracted")
GAINED = ("strengthened", "a further rule fires")
MORE = ("strengthened", "many more cases than last published")
SHARPER = ("strengthened", "IC025 rose by half a unit or more")

Published = tuple[int, int, float | None]  # fired, n_observed, ic_lower


def _scored(fired: int, n: int, ic_lower: float | None, *, retracted: bool = False) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "key": [7],
            "n_observed": [n],
            "ror_lower": pl.Series([1.5], dtype=pl.Float64),
            "ic_lower": pl.Series([ic_lower], dtype=pl.Float64),
            "fired": pl.Series([fired], dtype=pl.UInt32),
            "retracted": [retracted],
        }
    )


def _signals(published: Published | None, key: int = 7) -> pl.DataFrame:
    rows = []
    if published is not None:
        fired, n, ic_lower = published
        rows = [(key, 4, "new", 100, fired, n, 1.5, ic_lower)]
    return pl.DataFrame(rows, schema=SIGNALS, orient="row")


@pytest.mark.parametrize(
    ("was", "fired", "n", "ic", "retracted", "expected"),
    [
        # first time
        (None, A, 3, 0.1, False, NEW),
        (None, A | B, 3, 0.1, True, NEW),
        (None, 0, 3, 0.1, False, None),
        # nothing worth telling
        ((A, 3, 0.1), A, 3, 0.1, False, None),
        ((A, 3, 0.1), A, 4, 0.5, False, None),
        ((0, 3, 0.1), 0, 9, 2.0, False, None),
        ((0, 3, 0.1), 0, 1, 0.1, True, None),
        # off, and on again
        ((A, 3, 0.1), 0, 3, 0.1, False, CLEARED),
        ((A | B, 3, 0.1), 0, 2, 0.1, True, CLEARED),
        ((0, 3, 0.1), A, 3, 0.1, False, AGAIN),
        ((0, 3, 0.1), B, 9, 2.0, True, AGAIN),
        # down before up
        ((A | B, 3, 0.1), A, 3, 0.1, False, LOST),
        ((A, 3, 0.1), B, 9, 2.0, False, LOST),
        ((A | B, 9, 0.1), A, 3, 0.1, True, LOST),
        ((A, 9, 0.1), A, 8, 0.1, True, RETRACTED),
        ((A, 9, 0.1), A | B, 8, 2.0, True, RETRACTED),
        # a case left, but the count did not fall; or it fell, but no case was retracted
        ((A, 9, 0.1), A, 9, 0.1, True, None),
        ((A, 9, 0.1), A, 8, 0.1, False, None),
        # up
        ((A, 3, 0.1), A | B, 3, 0.1, False, GAINED),
        ((A, 3, 0.1), A | B, 9, 2.0, True, GAINED),
        ((A, 4, 0.1), A, 7, 0.1, False, MORE),
        ((A, 6, 0.1), A, 9, 2.0, False, MORE),
        ((A, 3, 0.1), A, 5, 0.1, False, None),  # 1.67 times, but 2 more
        ((A, 8, 0.1), A, 11, 0.1, False, None),  # 3 more, but 1.38 times
        ((A, 0, 0.1), A, 3, 0.1, False, MORE),
        ((A, 3, 0.25), A, 3, 0.75, False, SHARPER),
        ((A, 3, 0.25), A, 3, 0.7499, False, None),
        ((A, 3, -0.5), A, 3, 0.0, False, SHARPER),
        # an undefined bound is no evidence of anything
        ((A, 3, None), A, 3, 2.0, False, None),
        ((A, 3, 0.1), A, 3, None, False, None),
        ((A, 3, None), A, 6, None, False, MORE),
    ],
)
def test_each_change_has_its_kind_and_reason(
    was: Published | None,
    fired: int,
    n: int,
    ic: float | None,
    retracted: bool,
    expected: tuple[str, str] | None,
) -> None:
    decided = decide(_scored(fired, n, ic, retracted=retracted), _signals(was))
    found = decided.select("kind", "reason", "revision").rows()
    assert found == ([] if expected is None else [(*expected, 1 if was is None else 5)])


def test_there_is_no_hysteresis() -> None:
    signals = _signals(None)
    kinds = []
    for day, fired in enumerate([A, 0, A, 0, A]):
        decided = decide(_scored(fired, 3, 0.1), signals)
        kinds += decided["kind"].to_list()
        signals = publish(signals, decided, day)
    assert kinds == ["new", "cleared", "strengthened", "cleared", "strengthened"]
    assert signals["revision"].to_list() == [5]


def test_small_steps_are_measured_from_what_was_published_not_from_yesterday() -> None:
    signals = publish(_signals(None), decide(_scored(A, 4, 0.1), _signals(None)), 0)
    told = []
    for day, n in enumerate([5, 6, 7, 8, 9], start=1):
        decided = decide(_scored(A, n, 0.1), signals)
        signals = publish(signals, decided, day)
        told += [(day, *row) for row in decided.select("reason", "was_n_observed").rows()]
    assert told == [(3, MORE[1], 4)]


def test_decided_rows_are_sorted_and_carry_what_was_published() -> None:
    scored = pl.concat([_scored(A, 3, 0.1).with_columns(key=pl.lit(k)) for k in (9, 2, 7)])
    decided = decide(scored.cast({"key": pl.Int64}), _signals((A | B, 5, 0.4)))
    assert decided["key"].to_list() == [2, 7, 9]
    assert decided["was_n_observed"].to_list() == [None, 5, None]
    assert decided["was_evaluated_on"].to_list() == [None, 100, None]


def test_publishing_replaces_one_signal_and_keeps_the_others() -> None:
    held = pl.concat([_signals((A, 5, 0.4)), _signals((B, 6, 0.5), key=8)])
    decided = decide(_scored(0, 5, 0.4), _signals((A, 5, 0.4)))
    published = publish(held, decided, 123)
    assert dict(published.schema) == {name: dtype() for name, dtype in SIGNALS.items()}
    assert published.sort("key").rows() == [
        (7, 5, "cleared", 123, 0, 5, 1.5, 0.4),
        (8, 4, "new", 100, B, 6, 1.5, 0.5),
    ]
