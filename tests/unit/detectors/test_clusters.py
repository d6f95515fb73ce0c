from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pydantic import ValidationError

from detectors.clusters import CLUSTER_REPORTS, ClusterRule, find_clusters, scan_clusters
from schemas.errors import InputError

START = date(2019, 10, 7)
RULE = ClusterRule(by="lot", event_family="infection", within_days=30)


def reports(*rows: dict[str, Any]) -> pl.DataFrame:
    """Give reports of one class and lot unless a row says otherwise; `at` counts days."""
    usual = {
        "product_class": "exosome",
        "event_family": "infection",
        "serious": True,
        "lot": "EX-117",
        "facility": None,
        "manufacturer": None,
        "distributor": None,
    }
    full = [{**usual, **row, "day": START + timedelta(days=row["at"])} for row in rows]
    return pl.DataFrame(full, schema={**SCHEMA, "at": pl.Int64}).drop("at")


SCHEMA = {
    **CLUSTER_REPORTS,
    **dict.fromkeys(("lot", "facility", "manufacturer", "distributor"), pl.String()),
}


def clusters(frame: pl.DataFrame, rule: ClusterRule = RULE) -> list[list[str]]:
    return find_clusters(frame, rule)["case_ids"].to_list()


def test_two_serious_infections_of_one_lot_are_a_cluster() -> None:
    found = find_clusters(reports({"case_id": "NE-1", "at": 0}, {"case_id": "NE-2", "at": 2}), RULE)
    assert found.rows(named=True) == [
        {
            "product_class": "exosome",
            "event_family": "infection",
            "by": "lot",
            "unit": "EX-117",
            "first_day": START,
            "last_day": START + timedelta(days=2),
            "n_cases": 2,
            "case_ids": ["NE-1", "NE-2"],
        }
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"lot": None},
        {"lot": "EX-118"},
        {"product_class": "placental"},
        {"event_family": "embolism"},
        {"event_family": None},
        {"serious": False},
        {"serious": None},
        {"at": 31},
        {"case_id": "A", "at": 0},  # the same case again
    ],
)
def test_what_is_no_second_case(change: dict[str, Any]) -> None:
    assert clusters(reports({"case_id": "A", "at": 0}, {"case_id": "B", "at": 1} | change)) == []


@pytest.mark.parametrize("unknown", [None, "", "  "])
def test_unknown_lots_never_match_each_other(unknown: str | None) -> None:
    rows = [{"case_id": name, "at": 0, "lot": unknown} for name in "ABC"]
    assert clusters(reports(*rows)) == []
    found = scan_clusters(
        reports(*rows, *({"case_id": f"c{at}", "at": at, "event_family": None} for at in range(9))),
        by="lot",
        event_family="infection",
    )
    assert found.height == 0


def test_the_last_day_within_reach_counts() -> None:
    assert clusters(reports({"case_id": "A", "at": 0}, {"case_id": "B", "at": 30})) == [["A", "B"]]


@pytest.mark.parametrize(
    ("days", "n_cases", "expected"),
    [
        ([0, 20, 40, 60], 2, ["ABCD"]),  # hits that share a case are one cluster
        ([0, 20, 60, 80], 2, ["AB", "CD"]),
        ([0, 20, 60, 61, 100], 2, ["AB", "CD"]),
        ([0, 20, 40, 60], 3, []),
        ([0, 10, 20, 40, 90], 3, ["ABCD"]),
        ([0, 1, 2, 30, 31, 62], 3, ["ABCDE"]),
        ([0, 1, 2, 40, 41, 42], 3, ["ABC", "DEF"]),
        ([0, 0, 31, 31], 2, ["AB", "CD"]),
    ],
)
def test_clusters_grow_case_by_case(days: list[int], n_cases: int, expected: list[str]) -> None:
    rows = [{"case_id": "ABCDEF"[at], "at": day} for at, day in enumerate(days)]
    rule = RULE.model_copy(update={"n_cases": n_cases})
    assert clusters(reports(*rows).reverse(), rule) == [list(names) for names in expected]


def test_other_units_and_cases_that_are_not_serious() -> None:
    frame = reports(
        {"case_id": "LA-1", "at": 0, "lot": "L1", "distributor": "D", "serious": False},
        {"case_id": "LA-2", "at": 3, "lot": "L2", "distributor": "D", "serious": None},
    )
    rule = ClusterRule(by="distributor", event_family="infection", within_days=5)
    assert clusters(frame, rule) == []
    assert clusters(frame, rule.model_copy(update={"serious_only": False})) == [["LA-1", "LA-2"]]


def test_a_case_of_two_lots_is_in_both_but_counts_once() -> None:
    frame = reports(
        {"case_id": "A", "at": 0},
        {"case_id": "A", "at": 0, "lot": "EX-9"},
        {"case_id": "A", "at": 0, "serious": False},
        {"case_id": "B", "at": 1},
    )
    assert clusters(frame) == [["A", "B"]]


@pytest.mark.parametrize("wrong", [{"n_cases": 1}, {"within_days": -1}, {"by": "donor"}])
def test_a_rule_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ClusterRule(**({"by": "lot", "event_family": "infection", "within_days": 3} | wrong))


def test_the_scan_names_the_lot_the_days_and_the_cases() -> None:
    background = [
        {"case_id": f"c{at}", "at": at * 3, "event_family": None, "lot": f"EX-{at % 5}"}
        for at in range(60)
    ]
    frame = reports(
        *background,
        {"case_id": "NE-1", "at": 50},
        {"case_id": "NE-2", "at": 52},
        {"case_id": "NE-2", "at": 52, "event_family": "embolism"},
        {"case_id": "P", "at": 5, "product_class": "placental"},
    )
    found = scan_clusters(frame, by="lot", event_family="infection", within_days=14)
    row = found.row(0, named=True)
    assert found.height == 1
    assert (row["unit"], row["n_cases"], row["n_reports"]) == ("EX-117", 2, 2)
    assert row["case_ids"] == ["NE-1", "NE-2"]
    assert row["expected"] == pytest.approx(2 * 2 / 62)
    assert row["p_value"] < 0.05  # usable at two cases
    assert row["last_day"] - row["first_day"] == timedelta(days=2)
    again = scan_clusters(
        frame.sample(fraction=1, shuffle=True, seed=3),
        by="lot",
        event_family="infection",
        within_days=14,
    )
    assert_frame_equal(found, again)


def test_units_and_clusters_come_in_order() -> None:
    lots = ["L7", "L2", "L9", "L4", "L1", "L8"]
    rows = [{"case_id": f"{lot}-{n}", "at": n, "lot": lot} for lot in lots for n in (1, 2)]
    controls = [{"case_id": f"c{at}", "at": at, "event_family": None} for at in range(40)]
    found = scan_clusters(reports(*rows, *controls), by="lot", event_family="infection")
    assert found["unit"].to_list() == sorted(lots)
    assert find_clusters(reports(*rows), RULE)["unit"].to_list() == sorted(lots)
    assert found["case_ids"].to_list() == [[f"{lot}-1", f"{lot}-2"] for lot in sorted(lots)]


def test_a_class_of_nothing_but_the_family_shows_no_excess() -> None:
    frame = reports({"case_id": "A", "at": 0}, {"case_id": "B", "at": 1})
    assert scan_clusters(frame, by="lot", event_family="infection").height == 0
    assert len(clusters(frame)) == 1


def test_no_reports_give_empty_frames_of_the_same_columns() -> None:
    none = pl.DataFrame(schema=SCHEMA)
    some = reports({"case_id": "A", "at": 0}, {"case_id": "B", "at": 1})
    assert find_clusters(none, RULE).schema == find_clusters(some, RULE).schema
    scanned = scan_clusters(none, by="lot", event_family="infection")
    assert scanned.schema == scan_clusters(some, by="lot", event_family="infection").schema
    assert scanned.height == 0


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (reports().drop("lot"), r"reports need the column lot \[String\]; got None"),
        (reports().with_columns(day=pl.lit(1)), r"need the column day \[Date\]; got Int32"),
        (
            reports({"case_id": "A", "at": 0}, {"case_id": None, "at": 1}),
            "identity, day and product class; 1 of 2 rows lack one, first {'case_id': None",
        ),
        (
            reports({"case_id": "A", "at": 0}, {"case_id": "A", "at": 1}),
            r"a case must have one day; 1 have more, first \('A', ",
        ),
    ],
)
def test_reports_that_break_the_contract_are_refused(frame: pl.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=f"find_clusters: .*{message}"):
        find_clusters(frame, RULE)
    with pytest.raises(InputError, match=f"scan_clusters: .*{message}"):
        scan_clusters(frame, by="lot", event_family="infection")


def test_a_unit_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"scan_clusters: by must be among \['lot', .*got 'donor'"):
        scan_clusters(reports(), by="donor", event_family="infection")  # type: ignore[arg-type]
