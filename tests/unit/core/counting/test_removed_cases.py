"""Cases that would count but for a nullification or a link, and what alerts say of them."""

import itertools
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from detectors.rules import load_rules
from schemas.alert import Alert
from schemas.delta import REMOVED_CHANGES, Delta
from schemas.report import Link
from schemas.vocabulary import LinkKind, VerificationState
from streams.core.alerts import case_summaries
from streams.core.alerts.case_summaries import new_cases
from streams.core.cases.from_report import link_version
from streams.core.cases.transitions import CaseVersion, advance, joined
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.core.signals.published_signals import Signals
from streams.runtime.state.snapshot import read_snapshot, write_snapshot
from streams.runtime.wire.deltas import decode_delta, encode_delta
from tests.support.reports import NULLIFIED
from tests.support.versions import closing, make_link, make_release, make_version

DAY = date(2024, 1, 31)


def _version(version: int = 1, *, case_id: str = "A", void: bool = False, drug: str = "zinc",
             valid: bool = True, links: tuple[Link, ...] = (), day: date = DAY,
             ) -> CaseVersion:  # fmt: skip
    bare = drug == ""  # a deletion list names the case and nothing else
    return make_version(
        case_id,
        version=version,
        first_received=day,
        latest_received=DAY,
        drugs=() if bare else (drug,),
        events=() if bare else ("Rash",),
        revision=NULLIFIED if void else None,
        verification=VerificationState("valid_icsr" if valid else "contested"),
        links=links,
    )


def _link(state: str, decision: int = 1, case_id: str = "A") -> CaseVersion:
    return link_version(make_link(state, "manual", case_id=case_id, decision=decision))


ONE, TWO, THREE = _version(1), _version(2, drug="iron"), _version(3, drug="lead")
DELETED = _version(9, void=True, drug="")
MERGED, PARTED = _link("applied"), _link("reversed", 2)
OWN = Link(kind=LinkKind.DUPLICATE_OF, case_id="M")


def _out(*batches: list[CaseVersion]) -> dict[tuple[str, str], int]:
    """Return by drug and reason how many cases are out after some batches."""
    stored: dict[str, CaseVersion] = {}
    found: dict[tuple[str, str], int] = {}
    for batch in batches:
        step = advance(batch, stored)
        stored |= step.updates
        assert dict(step.removed.schema) == dict(REMOVED_CHANGES)
        for (drug,), reason, n in step.removed.select("drugs", "reason", "n").iter_rows():
            found[drug, reason] = found.get((drug, reason), 0) + n
    assert set(found.values()) <= {0, 1}
    return {key: n for key, n in found.items() if n}


@pytest.mark.parametrize(
    ("versions", "out"),
    [
        ([ONE], {}),
        ([DELETED], {}),
        ([ONE, DELETED], {("zinc", "nullified"): 1}),
        ([ONE, TWO, DELETED], {("iron", "nullified"): 1}),  # as it last was
        ([ONE, DELETED, _version(10, void=True, drug="lead")], {("zinc", "nullified"): 1}),
        ([ONE, _version(2, void=True), THREE], {}),  # un-nullified
        ([_version(valid=False), DELETED], {}),  # it never counted
        ([ONE, _version(2, valid=False), DELETED], {}),
        ([ONE, MERGED], {("zinc", "duplicate"): 1}),
        ([ONE, TWO, MERGED], {("iron", "duplicate"): 1}),
        ([ONE, MERGED, PARTED], {}),
        ([_version(valid=False), MERGED], {}),
        ([_version(links=(OWN,))], {}),  # its own report says so: nobody took it out
        ([_version(links=(OWN,)), MERGED], {}),
        ([ONE, MERGED, DELETED], {("zinc", "nullified"): 1}),
        ([MERGED, DELETED], {}),
    ],
)
def test_what_keeps_a_case_out_in_any_order_and_any_batches(
    versions: list[CaseVersion], out: dict[tuple[str, str], int]
) -> None:
    states = set()
    for order in itertools.permutations(versions):
        assert _out([*order, order[0]]) == out
        assert _out(*([one] for one in order), [order[0]]) == out
        whole = order[0]
        for part in (*order[1:], order[0]):
            whole = joined(part, whole)
        states.add(whole)
    assert len(states) == 1


def test_a_stale_version_of_what_was_voided_is_told_as_before() -> None:
    held = advance([DELETED], {}).updates
    step = advance([TWO], held)
    assert (step.tally, step.changes.height) == ({"stale": 1}, 0)
    assert step.removed.select("drugs", "reason", "n").rows() == [(["iron"], "nullified", 1)]
    again = advance([TWO, ONE], step.updates)
    assert (again.tally, again.updates, again.removed.height) == ({"stale": 2}, {}, 0)


def test_removals_travel_with_a_delta() -> None:
    step = advance([_version(2, void=True)], {"A": ONE})
    delta = Delta(3, 10, 12, 19_753, step.changes, step.removed)
    back = decode_delta(encode_delta(delta))
    assert back.removed.equals(step.removed)
    assert back.removed.height == 1
    nothing = decode_delta(encode_delta(Delta(3, 10, 12, 19_753, step.changes)))
    assert dict(nothing.removed.schema) == dict(REMOVED_CHANGES)
    assert nothing.removed.height == 0


class Fed:
    """A detector, fed by a case stage."""

    def __init__(self, path: Path) -> None:
        rules = path / "any.toml"
        rules.write_text(
            'any_case = { title = "any", source = "test", '
            'all = [{ statistic = "n_observed", op = ">=", value = 1 }] }',
            encoding="utf-8",
        )
        self.rules = load_rules(rules)
        self.stored: dict[str, CaseVersion] = {}
        self.offset = 0
        self.latest: dict[str, Alert] = {}
        self.detector = self.new()

    def new(self) -> Detector:
        return Detector([WindowSpec.parse("cumulative"), WindowSpec.parse("month")], self.rules)

    def send(self, *versions: CaseVersion) -> None:
        step = advance(versions, self.stored)
        self.stored |= step.updates
        end = self.offset + len(versions)
        self.detector.apply(Delta(0, self.offset, end, 19_753, step.changes, step.removed))
        self.offset = end

    def look(self, window: str = "cumulative") -> Alert:
        """Return the last revision of zinc and rash in a window."""
        for alert in self.detector.evaluate(19_753):
            self.latest[alert.signal_key] = alert
        return self.latest[f"zinc|rash|{window}"]


def _seen(alert: Alert) -> tuple[int, int | None, int | None, int | None]:
    return (
        alert.counts.n_observed,
        alert.n_new,
        alert.n_removed_nullified,
        alert.n_removed_duplicates,
    )


def test_an_alert_tells_what_came_and_what_was_taken_out(tmp_path: Path) -> None:
    fed = Fed(tmp_path)
    cases = [_version(case_id=f"C{n}") for n in range(9)]
    fed.send(*cases[:4])
    assert _seen(fed.look()) == (4, None, 0, 0)
    fed.send(*cases[4:], _version(2, case_id="C0", void=True), _link("applied", case_id="C1"))
    assert _seen(fed.look()) == (7, 5, 1, 1)
    fed.send(_version(2, case_id="C2", void=True), _version(3, case_id="C0"))
    assert _seen(fed.look()) == (7, 1, 1, 1)  # C0 is back, C2 is out
    fed.send(_link("reversed", 2, case_id="C1"), _version(2, case_id="C3", drug="iron"))
    assert _seen(fed.look()) == (7, 1, 1, 0)  # C3 was amended: nobody removed it


def test_a_window_tells_of_those_removed_of_its_days(tmp_path: Path) -> None:
    fed = Fed(tmp_path)
    before = date(2023, 12, 31)
    fed.send(*(_version(case_id=f"C{n}", day=before if n < 3 else DAY) for n in range(7)))
    fed.send(*(_version(2, case_id=f"C{n}", void=True, drug="") for n in (0, 1, 3)))
    fed.send(_link("applied", case_id="C2"))
    assert _seen(fed.look()) == (3, None, 3, 1)
    assert _seen(fed.look("2024-01")) == (3, None, 1, 0)


@pytest.mark.parametrize("saved", [False, True])
def test_a_restart_tells_the_same(tmp_path: Path, saved: bool) -> None:
    fed = Fed(tmp_path)
    fed.send(*(_version(case_id=f"C{n}") for n in range(4)))
    fed.send(_version(2, case_id="C0", void=True), _link("applied", case_id="C1"))
    fed.look()
    if saved:
        write_snapshot(tmp_path / "counts", fed.detector, topic="d", next_offset=2)
        fed.detector = fed.new()
        assert read_snapshot(tmp_path / "counts", fed.detector, topic="d") == 2
        fed.detector.restore_signals(fed.latest.values())
    fed.send(*(_version(2, case_id=f"C{n}", void=True) for n in (2, 3)))
    assert _seen(fed.look()) == (0, 0, 3, 1)  # the signal is off
    if saved:
        write_snapshot(tmp_path / "counts", fed.detector, topic="d", next_offset=3)
        fed.detector = fed.new()
        read_snapshot(tmp_path / "counts", fed.detector, topic="d")
        fed.detector.restore_signals(fed.latest.values())
    fed.send(_version(3, case_id="C2"), _version(case_id="C9"))
    assert _seen(fed.look()) == (2, 2, 2, 1)  # and on again


def test_of_a_revision_that_did_not_name_all_its_cases_nobody_knows_what_is_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(case_summaries, "MOST_CASE_IDS", 3)
    rows = [(1, "A"), (1, "B"), (1, "C"), (4, "A"), (4, "D"), (7, "E")]
    cases = pl.DataFrame(rows, schema={"key": pl.Int64, "case_id": pl.String}, orient="row")
    keys = np.array([1, 4, 7, 9])
    was = Signals.row(key=keys, revision=[1, 2, 0, 5], n_observed=[3, 4, 0, 2])
    named = {
        1: pl.Series(["A", "X", "C"]).hash().to_numpy(),
        4: pl.Series(["B", "C", "D"]).hash().to_numpy(),
        9: pl.Series(["A", "B"]).hash().to_numpy(),
    }
    assert new_cases(cases, keys, was, named) == [1, None, None, 0]


@pytest.mark.parametrize("saved", [False, True])
def test_an_alert_says_how_many_cases_a_release_withdrew(tmp_path: Path, saved: bool) -> None:
    fed = Fed(tmp_path)
    released = {"drugs": ("zinc",), "first_received": DAY, "latest_received": DAY}
    old = [make_version(f"C{n}", release=make_release(1), **released) for n in range(4)]
    fed.send(*old)
    assert fed.look().n_removed_withdrawn == 0
    fed.send(make_version("C3", release=make_release(2), **released), closing(2))
    alert = fed.look()
    assert (alert.counts.n_observed, alert.n_removed_withdrawn) == (1, 3)
    assert alert.kind == "weakened"
    if saved:
        write_snapshot(tmp_path / "counts", fed.detector, topic="d", next_offset=2)
        fed.detector = fed.new()
        read_snapshot(tmp_path / "counts", fed.detector, topic="d")
        fed.detector.restore_signals(fed.latest.values())
    fed.send(make_version("C0", release=make_release(3), **released))
    alert = fed.look()
    assert (alert.counts.n_observed, alert.n_removed_withdrawn) == (2, 2)
    assert (alert.n_removed_nullified, alert.n_removed_duplicates) == (0, 0)
