"""What alerts sum up of the cases of their pairs, against a recount case by case."""

from collections.abc import Iterator
from datetime import date, timedelta
from statistics import median
from typing import Any

import numpy as np
import polars as pl
import pytest

from streams.core.alerts import case_summaries
from streams.core.alerts.case_sources import BurstRule, Origins, bursts_of, sources_of
from streams.core.alerts.case_summaries import facts_of
from streams.core.counting.vocabulary import Vocabulary
from streams.core.signals.new_evidence import FATAL, PAEDIATRIC_BIT

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
