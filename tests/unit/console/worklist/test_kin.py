"""Kin: who is folded under whom, and in which order the groups stand."""

import polars as pl

from streams.console.worklist.kin import (
    EXPLAINED,
    KIN,
    explained_of,
    folded,
    kin_of,
    stronger_first,
)
from streams.console.worklist.signal_columns import StoredCopy, mentions_of, signals_of
from streams.delivery.tiers import Copy
from tests.support.alerts import signal
from tests.support.many_signals import LAST_DAY


def copy_of(
    drug: str, cases: str, ic_lower: float, *, explained: str = "", event: str = "Sepsis"
) -> Copy:
    copy = signal(len(cases), drug=drug, event=event).model_dump(mode="json")
    shared = [{"product": explained, "n_shared": 2}] if explained else []
    return copy | {
        "signal_key": f"{drug}|{event.casefold()}|cumulative",
        "case_ids": list(cases),
        "statistics": copy["statistics"] | {"ic_lower": ic_lower},
        "explained_by": shared,
    }


def stored(*copies: Copy) -> list[StoredCopy]:
    return [StoredCopy(place, LAST_DAY, copy) for place, copy in enumerate(copies)]


def found(*copies: Copy) -> dict[tuple[str, str], tuple[int, int]]:
    """Return cases shared and named, by product of the kin and of the leader."""
    of_all = stored(*copies)
    kin = kin_of(signals_of(of_all), mentions_of(of_all), explained_of(of_all))
    return {
        (key.partition("|")[0], leader.partition("|")[0]): (n_shared, n_named)
        for key, leader, n_shared, n_named in kin.iter_rows()
    }


def test_half_of_the_cases_shared_makes_kin_of_the_weaker() -> None:
    strong = copy_of("rv", "abcdef", 3.0)
    assert found(strong, copy_of("ipv", "abxy", 2.0)) == {("ipv", "rv"): (2, 4)}
    assert found(strong, copy_of("ipv", "abxyz", 2.0)) == {}
    # The stronger one is never folded, however many cases it shares.
    assert found(strong, copy_of("ipv", "abcdefgh", 2.0)) == {("ipv", "rv"): (6, 8)}


def test_signals_of_other_events_are_no_kin() -> None:
    assert found(copy_of("rv", "abc", 3.0), copy_of("ipv", "abc", 2.0, event="Fever")) == {}


def test_who_is_explained_is_weaker_whatever_its_bound() -> None:
    innocent = copy_of("ipv", "abwxyz", 4.0, explained="RV")
    assert found(copy_of("rv", "abc", 3.0), innocent) == {("ipv", "rv"): (2, 6)}


def test_an_explanation_by_a_product_without_a_signal_folds_nothing() -> None:
    assert found(copy_of("ipv", "ab", 4.0, explained="RV")) == {}


def test_two_that_explain_each_other_are_not_folded_in_a_circle() -> None:
    pair = copy_of("rv", "ab", 3.0, explained="ipv"), copy_of("ipv", "yz", 2.0, explained="rv")
    assert found(*pair) == {("ipv", "rv"): (2, 2)}


def test_groups_stand_where_their_first_member_would() -> None:
    signals = [
        copy_of("a", "1234", 3.0),
        copy_of("b", "1299", 2.0),
        copy_of("c", "9934", 1.0),
        copy_of("d", "5678", 0.5),
    ]
    of_all = stored(*signals)
    frame = signals_of(of_all)
    kin = kin_of(frame, mentions_of(of_all), explained_of(of_all))
    keys = {copy["drug"]: copy["signal_key"] for copy in signals}
    listed = pl.DataFrame({"key": [keys[name] for name in "bdca"]})
    rows = folded(listed, kin, stronger_first(frame))
    names = {key: name for name, key in keys.items()}
    assert [names[key] for key in rows["key"]] == ["a", "b", "c", "d"]
    leaders = [names.get(leader) for leader in rows["leader"]]
    assert leaders == [None, "a", "a", None]


def test_kin_of_kin_stands_in_the_group_of_the_first() -> None:
    names = ["a", "b", "c"]
    kin = pl.DataFrame([("b", "a", 1, 2), ("c", "b", 1, 2)], schema=KIN, orient="row")
    strength = pl.DataFrame({"key": names, "strength": [0, 1, 2]})
    listed = pl.DataFrame({"key": ["c", "x", "b", "a"]})
    assert folded(listed, kin, strength)["key"].to_list() == ["a", "c", "b", "x"]


def test_kin_without_its_leader_in_the_list_is_a_row_of_its_own() -> None:
    kin = pl.DataFrame([("b", "a", 1, 2)], schema=KIN, orient="row")
    strength = pl.DataFrame({"key": ["a", "b"], "strength": [0, 1]})
    rows = folded(pl.DataFrame({"key": ["b"]}), kin, strength)
    assert rows.rows() == [("b", None, None, None)]


def test_nothing_is_kin_of_nothing() -> None:
    empty = signals_of([])
    assert kin_of(empty, mentions_of([]), EXPLAINED.to_frame()).is_empty()
    assert folded(empty.select("key"), KIN.to_frame(), stronger_first(empty)).is_empty()
