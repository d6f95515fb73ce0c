"""Summaries of the cases of pairs: by hand, and against a recount case by case."""

from collections.abc import Iterator
from datetime import date, timedelta
from statistics import median
from typing import Any

import numpy as np
import polars as pl
import pytest

from streams.core.alerts import case_summaries
from streams.core.alerts.case_sources import BurstRule, Origins, bursts_of, sources_of
from streams.core.alerts.case_summaries import (
    after_notice,
    extra_fields_of,
    facts_of,
    new_cases,
)
from streams.core.counting.vocabulary import Vocabulary
from streams.core.signals.new_evidence import FATAL, PAEDIATRIC_BIT
from streams.core.signals.published_signals import Signals
from tests.support.counted_window import DAY, CountedWindow

NAMED = 4
FACETS = np.array([0, PAEDIATRIC_BIT, 4, 8 | PAEDIATRIC_BIT])  # by stratum
ORIGINS = ["JP\x1fp\x1fA", "\x1f\x1fA", "DE\x1fp\x1fB", "DE\x1f\x1fB", "\x1fp\x1fC"]
SCHEMA = {
    **{"key": pl.Int64, "case_id": pl.String, "day": pl.Int32, "stratum": pl.UInt32},
    **{"serious": pl.Boolean, "fatal": pl.Boolean, "origin": pl.UInt32},
    **{"completeness": pl.UInt8, "suspected_duplicate": pl.Boolean},
}
KEYS = [-(3 << 32), 5, 7 << 32 | 1, 7 << 32 | 9, 1 << 60]


def _rows(seed: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield pairs with their cases: none of one of them, few of others, more than are named."""
    random = np.random.default_rng(seed)
    for key, most in zip(KEYS, random.permutation([0, 1, 3, 12, 40]), strict=True):
        yield (
            key,
            [
                {
                    "key": key,
                    "case_id": f"C{name}",
                    "day": int(random.integers(-2, 4)),
                    "stratum": int(random.integers(0, len(FACETS))),
                    "serious": bool(random.random() < 0.5),
                    "fatal": bool(random.random() < 0.2),
                    "origin": int(random.integers(0, len(ORIGINS))),
                    "completeness": int(random.integers(0, 101)),
                    "suspected_duplicate": bool(random.random() < 0.3),
                }
                for name in random.choice(1000, most, replace=False).tolist()
            ],
        )


def _shuffled(of_pairs: dict[int, list[dict[str, Any]]], seed: int) -> pl.DataFrame:
    rows = [row for rows in of_pairs.values() for row in rows]
    order = np.random.default_rng(seed).permutation(len(rows)).tolist()
    return pl.DataFrame([rows[at] for at in order], schema=SCHEMA)


@pytest.mark.parametrize("seed", range(8))
def test_cases_are_summed_up_by_pair_in_whatever_order_they_come(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_summaries, "MOST_CASE_IDS", NAMED)
    of_pairs = dict(_rows(seed))
    found = facts_of(_shuffled(of_pairs, seed), np.array(KEYS), FACETS)
    assert found["key"].to_list() == KEYS
    for row, cases in zip(found.iter_rows(named=True), of_pairs.values(), strict=True):
        bits = [int(FACETS[case["stratum"]]) | FATAL * case["fatal"] for case in cases]
        facets = 0
        for each in bits:
            facets |= each
        days = [date(1970, 1, 1) + timedelta(days=case["day"]) for case in cases]
        latest = sorted((case["day"], case["case_id"]) for case in cases)[-NAMED:]
        ids = sorted(case_id for _, case_id in latest)
        hashes = set(pl.Series(ids, dtype=pl.String).hash().to_list())
        assert set(row.pop("named")) == hashes
        assert row == {
            "key": row["key"],
            "n_serious": sum(case["serious"] for case in cases),
            "n_fatal": sum(case["fatal"] for case in cases),
            "n_paediatric": sum(each & PAEDIATRIC_BIT > 0 for each in bits),
            "facets": facets,
            "first_received": min(days, default=None),
            "last_received": max(days, default=None),
            "case_ids": ids,
        }


@pytest.mark.parametrize("seed", range(8))
def test_sources_are_counted_by_pair_in_whatever_order_cases_come(seed: int) -> None:
    of_pairs = dict(_rows(seed))
    origins = Origins(Vocabulary(ORIGINS))
    found = sources_of(_shuffled(of_pairs, seed), np.array(KEYS), origins.parts)
    for row, cases in zip(found.iter_rows(named=True), of_pairs.values(), strict=True):
        parts = [ORIGINS[case["origin"]].split("\x1f") for case in cases]
        assert row == {
            "key": row["key"],
            "n_by_professional": sum(who == "p" for _, who, _ in parts),
            "n_sources": len({source for *_, source in parts}),
            "countries": sorted({country for country, *_ in parts if country}),
            "dictionary_versions": [],
            "completeness": median(case["completeness"] for case in cases) if cases else None,
            "n_suspected_duplicates": sum(case["suspected_duplicate"] for case in cases),
        }


@pytest.mark.parametrize("seed", range(20))
def test_bursts_are_found_in_whatever_order_cases_come(seed: int) -> None:
    rule = BurstRule(fewest_cases=3, share=0.25)
    of_pairs = dict(_rows(seed))
    origins = Origins(Vocabulary(ORIGINS))
    found = bursts_of(_shuffled(of_pairs, seed), np.array(KEYS), origins, rule)
    expected = []
    for key, cases in of_pairs.items():
        by_source: dict[tuple[int, str], list[str]] = {}
        for case in cases:
            _, who, source = ORIGINS[case["origin"]].split("\x1f")
            by_source.setdefault((case["day"], source), []).append(who)
        many = [
            (-len(those), day, source, those)
            for (day, source), those in by_source.items()
            if len(those) >= 3 and len(those) >= 0.25 * len(cases)
        ]
        if many:
            n, day, source, those = min(many)
            expected.append((key, day, source, -n, those.count("p")))
    columns = ("key", "day", "source", "n", "n_by_professional")
    assert found.select(columns).rows() == expected


def _hashes(*names: str) -> np.ndarray:
    return pl.Series(names, dtype=pl.String).hash().to_numpy()


def test_facts_of_three_cases_by_hand() -> None:
    rows = [
        # key, case, day, stratum, serious, fatal
        (5, "B", 19_782, 1, True, True),
        (5, "A", 19_782, 0, False, False),
        (5, "C", 19_724, 2, True, False),
        (9, "B", 19_782, 0, True, True),
    ]
    schema = {name: SCHEMA[name] for name in list(SCHEMA)[:6]}
    cases = pl.DataFrame(rows, schema=schema, orient="row")
    found = facts_of(cases, np.array([5, 7, 9]), FACETS)
    assert found["n_serious"].to_list() == [2, 0, 1]
    assert found["n_fatal"].to_list() == [1, 0, 1]
    assert found["n_paediatric"].to_list() == [1, 0, 0]
    assert found["facets"].to_list() == [FATAL | PAEDIATRIC_BIT | 4, 0, FATAL]
    assert found["first_received"].to_list() == [date(2024, 1, 2), None, date(2024, 2, 29)]
    assert found["last_received"].to_list() == [date(2024, 2, 29), None, date(2024, 2, 29)]
    assert found["case_ids"].to_list() == [["A", "B", "C"], [], ["B"]]


def test_of_many_cases_the_latest_are_named_and_of_one_day_the_last_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(case_summaries, "MOST_CASE_IDS", 2)
    rows = [(5, "A", 7, 0, False, False), (5, "Z", 6, 0, False, False)]
    rows += [(5, name, 6, 0, False, False) for name in "XY"]
    schema = {name: SCHEMA[name] for name in list(SCHEMA)[:6]}
    found = facts_of(pl.DataFrame(rows, schema=schema, orient="row"), np.array([5]), FACETS)
    assert found["case_ids"].to_list() == [["A", "Z"]]
    assert set(found["named"][0]) == set(_hashes("A", "Z"))
    assert found["first_received"].to_list() == [date(1970, 1, 7)]


def test_new_cases_are_those_that_the_revision_before_did_not_name() -> None:
    rows = [(1, "A"), (1, "B"), (2, "A"), (2, "C")]
    cases = pl.DataFrame(rows, schema={"key": pl.Int64, "case_id": pl.String}, orient="row")
    keys = np.array([1, 2, 3, 4])
    was = Signals.row(key=keys, revision=[3, 1, 1, 0], n_observed=[2, 1, 2, 0])
    named = {1: _hashes("B", "Z"), 2: _hashes("B"), 3: _hashes("A", "B")}
    # A is new of the first, both of the second, of the third none is left, the last one is new.
    assert new_cases(cases, keys, was, named) == [1, 2, 0, None]


def test_cases_after_an_authority_acted_are_counted_for_products_of_its_class() -> None:
    rows = [(1, 9), (1, 10), (1, 11), (2, 11), (3, 11), (4, 9)]
    cases = pl.DataFrame(rows, schema={"key": pl.Int64, "day": pl.Int32}, orient="row")
    keys = pl.Series([1, 2, 3, 4, 5])
    # Engineered vesicles are under the class; cells are another; zinc is of none.
    drugs = pl.Series(["engineered-ev", "cell-product", "zinc", "exosome", "engineered-ev"])
    acted = {"msc-supernatant-exosome": date(1970, 1, 11)}
    found = after_notice(cases, keys, drugs, acted)
    assert (found.name, found.to_list()) == ("n_post_notice", [1, None, None, 0, 0])
    nobody = after_notice(cases, keys, drugs, {})
    assert (nobody.dtype, nobody.to_list()) == (pl.Int64, [None] * 5)


def test_extra_fields_are_of_new_removed_and_clinical_cases() -> None:
    counted = CountedWindow()
    counted.count(["A", "B"], ["zinc"], ["Rash"], age="child")
    counted.count(["C"], ["zinc"], ["Rash"])
    counted.count(["D"], ["iron"], ["Rash"])
    for reason, name, day in (
        ("nullified", "E", DAY),
        ("nullified", "F", DAY - 1),
        ("duplicate", "G", DAY),
    ):
        gone = CountedWindow()
        gone.count([name], ["zinc"], ["Rash"], day=day)
        rows = gone.log.rows().with_columns(reason=pl.lit(reason))
        counted.removals.append(rows)
    keys = np.array(sorted([counted.key("zinc", "Rash"), counted.key("iron", "Rash")]))
    was = Signals.row(key=keys, revision=[1, 0], n_observed=[2, 0])
    named = {int(keys[0]): _hashes("A", "X")}
    view = counted.view()
    cases = view.log.cases_of(keys, None, DAY)
    zinc, iron = extra_fields_of(cases, keys, view, (None, DAY), was, named)
    assert (zinc["n_new"], iron["n_new"]) == (2, None)
    assert (zinc["n_removed_nullified"], zinc["n_removed_duplicates"]) == (2, 1)
    assert (iron["n_removed_nullified"], iron["n_removed_duplicates"]) == (0, 0)
    assert (zinc["n_missing_lot"], iron["n_missing_lot"]) == (3, 1)
    assert (zinc["patients"].child, zinc["patients"].adult, zinc["patients"].female) == (2, 1, 3)
    today = extra_fields_of(cases, keys, view, (DAY, DAY), was, named)
    assert today[0]["n_removed_nullified"] == 1
