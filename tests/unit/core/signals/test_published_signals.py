"""The published state of signals: against a plain dictionary, and restored from alerts."""

import json
import math
from datetime import date

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alert import Alert, SignalGrade
from streams.core.alerts.priority import priority_on
from streams.core.counting.vocabulary import Vocabulary
from streams.core.signals.decisions import DROPPED, GRADES, KINDS
from streams.core.signals.new_evidence import FATAL, PAEDIATRIC_BIT, region_mask
from streams.core.signals.published_signals import Signals, restored_signals
from tests.support.alerts import signal
from tests.support.counted_window import rules_of

keys = st.sets(st.integers(0, 1 << 40) | st.integers(0, 9), max_size=8)


@settings(deadline=None)
@given(st.lists(keys, max_size=5), keys)
def test_what_is_published_last_stands_and_is_found(
    published: list[set[int]], asked: set[int]
) -> None:
    signals, expected = Signals(), dict[int, tuple[int, float]]()
    for revision, of in enumerate(published):
        signals.publish(
            Signals.row(key=list(of), revision=revision, on=1, ror_lower=[key / 7 for key in of]),
            {},
        )
        expected |= {key: (revision, key / 7) for key in of}
    rows = signals.rows
    held = zip(*(rows[name].tolist() for name in ("key", "revision", "ror_lower")), strict=True)
    assert list(held) == [(key, *expected[key]) for key in sorted(expected)]
    assert signals.on.tolist() == sorted(expected)
    for some in (sorted(asked), sorted({*asked, *expected}), sorted(expected)[::2]):
        here, there = signals.within(np.array(some, dtype=np.int64))
        found = [key for key in some if key in expected]
        assert rows["key"][here].tolist() == found
        assert [some[at] for at in there.tolist()] == found


def test_the_grade_is_restored_whatever_the_rules_are_now() -> None:
    """Of an alert without a grade, as published before there were any, it is `alarm`."""
    drugs, events = Vocabulary(), Vocabulary()
    named = {"rules_fired": ("from_3",)}
    wider = signal(3, drug="lead").model_copy(
        update={"grade": SignalGrade.SCREENING, "rules_fired": ("from_3", "from_9")}
    )
    off = signal(3, drug="zinc").model_copy(
        update={"grade": SignalGrade.SCREENING, "rules_fired": ()}
    )
    written = json.loads(signal(3, drug="iron").model_copy(update=named).model_dump_json())
    del written["grade"]
    old = Alert.model_validate_json(json.dumps(written))
    ended = signal(3, drug="gold").model_copy(update={"rules_fired": ()})
    now = rules_of(3)
    assert now.alarm_mask == 0b1
    signals = restored_signals([wider, off, old, ended], now, drugs, events)["cumulative"]
    grades = [GRADES[place].value for place in signals.rows["grade"]]
    assert grades == ["screening", "screening", "alarm", "alarm"]
    assert signals.on.tolist() == [0, 2 << 32]
    assert signals.alarms.tolist() == [2 << 32]


def test_signals_are_restored_by_window_from_the_latest_alert_of_each() -> None:
    drugs, events = Vocabulary(["lead", "zinc"]), Vocabulary(["Rash"])
    priority = priority_on(signal(3), date(1970, 1, 31))
    one = signal(3, revision=4, drug="zinc", event="Rash", fatal=1).model_copy(
        update={
            "rules_fired": ("from_5", "retired"),
            "n_paediatric": 2,
            "regions": ("asia", "japan"),
            "evaluated_on": date(1970, 1, 31),
            "due": date(1970, 2, 3),
            "first_alert_on": date(1970, 1, 11),
            "first_alarm_on": date(1970, 1, 21),
            "priority": priority,
        }
    )
    bounds = one.statistics.model_copy(update={"ror_lower": None, "ic_lower": -0.5})
    off = signal(0, drug="iron", event="Rash").model_copy(
        update={"rules_fired": (), "statistics": bounds}
    )
    month = one.window.model_copy(update={"label": "2024-01"})
    other = one.model_copy(update={"window": month, "rules_fired": ("from_3",), "revision": 9})
    restored = restored_signals([one, other, off], rules_of(3, 5), drugs, events)
    assert set(restored) == {"cumulative", "2024-01"}
    assert list(drugs.names) == ["lead", "zinc", "iron"]
    signals = restored["cumulative"]
    zinc, iron = signals.rows
    assert [zinc["key"], iron["key"]] == [1 << 32, 2 << 32]
    assert (zinc["revision"], KINDS[zinc["kind"]], zinc["evaluated_on"]) == (4, "strengthened", 30)
    assert (zinc["on"], zinc["n_observed"], zinc["ror_lower"]) == (0b10 | DROPPED, 3, 1.25)
    assert (zinc["due"], iron["due"]) == (33, 0)  # 0: an alert of an older version states none
    assert (zinc["first_alert"], zinc["first_alarm"]) == (10, 20)
    assert (iron["first_alert"], iron["first_alarm"]) == (0, 0)
    assert (zinc["total"], math.isnan(iron["total"])) == (priority.total, True)
    assert zinc["facets"] == FATAL | PAEDIATRIC_BIT | region_mask(["asia", "japan"])
    assert (iron["on"], iron["facets"], iron["ic_lower"]) == (0, 0, -0.5)
    assert math.isnan(iron["ror_lower"])
    # Neither counts nor rules of the last evaluation are known after a restart.
    assert [zinc["evaluated_n"], iron["evaluated_n"]] == [-1, -1]
    assert signals.dropped == {1 << 32: ("retired",)}
    names = pl.Series(["NE-0", "NE-1", "NE-2"]).hash().to_list()
    assert {key: found.tolist() for key, found in signals.named.items()} == {
        1 << 32: names,
        2 << 32: [],
    }
    assert restored["2024-01"].rows[["revision", "on"]].tolist() == [(9, 0b01)]
    assert restored["2024-01"].dropped == {}


def test_totals_are_those_of_signals_that_are_on_and_were_revised_since_a_day() -> None:
    """One of an older form, a weighted sum, is no total to compare with."""
    signals = Signals(
        Signals.row(
            key=[1, 2, 3, 4, 5],
            on=[1, 0, 1, DROPPED, 1],
            evaluated_on=[10, 10, 9, 12, 11],
            total=[0.5, 0.4, 0.3, 0.2, math.nan],
        )
    )
    assert signals.totals_since(10).tolist() == [0.5, 0.2]
