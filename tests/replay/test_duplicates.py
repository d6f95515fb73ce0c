"""Exact duplicates in a replay: one patient counts once, at every evaluation, in any order."""

import random
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from detectors.rules import RuleSet, load_rules
from schemas.alert import Alert
from schemas.product import Product
from schemas.report import OtherId, Reaction, Report, Revision
from schemas.vocabulary import RevisionKind
from streams.core.counting.windows import WindowSpec
from streams.runtime.embedded.replay import Replay
from streams.runtime.operations.recount import recount_of_files
from tests.support.reports import make_report
from tests.support.source_file_counts import Counts, tabulate

FIRST = date(2024, 1, 1)
WINDOWS = ("cumulative", "month", "sliding:31")
VOID = Revision(kind=RevisionKind.NULLIFICATION, reason="sent in error")


@pytest.fixture(scope="module")
def any_case(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    path = tmp_path_factory.mktemp("rules") / "any.toml"
    path.write_text(
        'any_case = { title = "any", source = "test", '
        'all = [{ statistic = "n_observed", op = ">=", value = 1 }] }',
        encoding="utf-8",
    )
    return load_rules(path)


def _report(case_id: str, patient: int, day: int, chance: random.Random, **changes: Any) -> Report:
    """A report that names its patient in one of three ways; all are equally complete."""
    usual = {
        "day": FIRST + timedelta(days=day),
        "message_id": case_id,
        "worldwide_id": f"JP-PV-{patient + 1}",
        "drugs": [f"drug {chance.randrange(4)}"],
        "events": [f"event {n}" for n in chance.sample(range(5), 2)],
    }
    return make_report(case_id, **{**usual, **changes})


def _history(seed: int) -> tuple[list[Report], dict[str, int]]:
    """Reports in order of receipt, and the patient of each case."""
    chance = random.Random(seed)
    patients: dict[str, int] = {}
    reports: list[Report] = []
    for number in range(120):
        again = number > 10 and chance.random() < 0.3
        patient = chance.randrange(number) if again else number
        day = number
        case_id = f"C{chance.randrange(10**6):06}"
        patients[case_id] = patient
        known = (
            {},
            {"worldwide_id": None, "sender": "acme", "sender_case_id": f"JP-PV-{patient + 1}"},
            {"worldwide_id": None, "other_ids": (OtherId(case_id=f"jp-pv-{patient + 1} "),)},
        )
        how = chance.choice(known)
        reports.append(_report(case_id, patient, day, chance, **how))
        if chance.random() < 0.2:  # a follow-up with other drugs and events
            later = _report(case_id, patient, day, chance, **how)
            on = {"version": 2, "latest_received": FIRST + timedelta(days=day + 20)}
            reports.append(later.model_copy(update=on))
        if chance.random() < 0.15:  # a nullification that repeats no identifier
            on = {"version": 3, "latest_received": FIRST + timedelta(days=day + 30)}
            off = {"worldwide_id": None, "sender_case_id": None, "other_ids": (), "revision": VOID}
            reports.append(reports[-1].model_copy(update=on | off))
            if chance.random() < 0.5:  # taken back
                on = {"version": 4, "latest_received": FIRST + timedelta(days=day + 40)}
                reports.append(reports[-2].model_copy(update=on))
    return sorted(reports, key=lambda one: (one.latest_received, one.case_id)), patients


def _by_hand(reports: Iterable[Report], patients: dict[str, int]) -> Counts:
    """Count each patient once: by the case that was received first and is not nullified."""
    latest: dict[str, Report] = {}
    for report in reports:
        held = latest.get(report.case_id, report)
        latest[report.case_id] = max(report, held, key=lambda one: one.version)
    of_patient: dict[int, list[Report]] = {}
    for case_id, report in latest.items():
        if report.revision is None:
            of_patient.setdefault(patients[case_id], []).append(report)
    return tabulate(
        (
            {name for product in one.products for name in product.substances},
            {reaction.term for reaction in one.reactions},
        )
        for cases in of_patient.values()
        for one in [min(cases, key=lambda each: (each.first_received, each.case_id))]
    )


def _replayed(reports: Sequence[Report], rules: RuleSet, seed: int) -> tuple[Replay, list[Alert]]:
    alerts: list[Alert] = []
    run = Replay(
        map(WindowSpec.parse, WINDOWS),
        rules,
        every=1 + seed % 3,
        until=None,
        horizon=date(2030, 1, 1),
        on_alert=alerts.append,
        on_rejected=lambda rejected: pytest.fail(rejected.reason),
    )
    items = [
        report if place % 2 else report.model_dump_json(exclude_defaults=True).encode()
        for place, report in enumerate(reports)
    ]
    size = 1 + 13 * (seed % 4)
    for at in range(0, len(items), size):
        for _ in run.feed("test", enumerate(items[at : at + size])):
            pass
    run.finish()
    return run, alerts


def _counted(run: Replay) -> Counts:
    frame = run.detector.all_counts()
    rows = frame.filter(frame["window"] == "cumulative").drop("window").iter_rows()
    return {(drug, event): tuple(cell) for drug, event, *cell in rows}


@pytest.mark.parametrize("seed", range(4))
def test_one_patient_counts_once_at_every_look(any_case: RuleSet, seed: int) -> None:
    reports, patients = _history(seed)
    run, alerts = _replayed(reports, any_case, seed)
    assert _counted(run) == _by_hand(reports, patients)
    assert run.summary.population["duplicate"] > 5
    assert len(alerts) > 100
    for alert in alerts:
        counted = [patients[case_id] for case_id in alert.case_ids]
        assert len(set(counted)) == len(counted), alert.case_ids


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_arrival_does_not_change_the_counts(any_case: RuleSet, seed: int) -> None:
    reports, patients = _history(seed)
    shuffled = reports + reports[::3]
    random.Random(seed).shuffle(shuffled)
    run, _ = _replayed(shuffled, any_case, seed)
    assert _counted(run) == _by_hand(reports, patients)


def test_the_loss_of_the_master_is_corrected_where_the_alert_went(any_case: RuleSet) -> None:
    chance = random.Random(0)
    zinc = {"products": (Product(substances=("zinc",)),), "reactions": (Reaction(term="rash"),)}
    one = _report("A", 0, 0, chance, **zinc)
    other = _report("B", 0, 40, chance, **zinc)
    void = one.model_copy(
        update={"version": 2, "latest_received": FIRST + timedelta(days=50), "revision": VOID}
    )
    back = void.model_copy(
        update={"version": 3, "latest_received": FIRST + timedelta(days=60), "revision": None}
    )
    _, alerts = _replayed([one, other, void, back], any_case, 0)
    monthly = [
        (alert.window.label, alert.revision, alert.kind.value, alert.case_ids)
        for alert in alerts
        if alert.window.label.startswith("2024-")
    ]
    assert monthly == [
        ("2024-01", 1, "new", ("A",)),
        ("2024-01", 2, "retraction", ()),
        ("2024-02", 1, "new", ("B",)),
        ("2024-01", 3, "strengthened", ("A",)),
        ("2024-02", 2, "retraction", ()),
    ]


def test_an_identifier_that_was_taken_back_before_it_came_links_nothing(any_case: RuleSet) -> None:
    chance = random.Random(0)
    old, new = _report("A", 0, 0, chance), _report("A", 0, 0, chance, version=2, worldwide_id=None)
    other = _report("B", 0, 5, chance)
    for order in ([new, old, other], [new, other, old], [other, new, old], [old, other, new]):
        run, _ = _replayed(order, any_case, 0)
        assert run.summary.population["counted"] == 2, [one.version for one in order]


def test_an_identifier_of_too_many_is_refused_and_told(any_case: RuleSet) -> None:
    chance = random.Random(0)
    for number, counted, refused in ((50, 1, 0), (51, 51, 1)):
        reports = [_report(f"C{n:02}", 0, n, chance) for n in range(number)]
        run, _ = _replayed(reports, any_case, 3)
        assert run.summary.population["counted"] == counted
        assert run.summary.refused_identifiers == refused


def test_an_alert_over_linked_cases_can_be_recounted(any_case: RuleSet, tmp_path: Path) -> None:
    reports, _ = _history(1)
    path = tmp_path / "reports.jsonl"
    path.write_text("".join(one.model_dump_json() + "\n" for one in reports), encoding="utf-8")
    alerts: list[Alert] = []
    run = Replay(
        map(WindowSpec.parse, WINDOWS),
        any_case,
        every=7,
        until=None,
        horizon=date(2030, 1, 1),
        on_alert=alerts.append,
        on_rejected=lambda rejected: None,
    )
    lines = enumerate(path.read_bytes().splitlines(), start=1)
    assert sum(run.feed(path.name, lines)) == len(reports)
    run.finish()
    recount = recount_of_files([path], None, alerts, any_case, priors={})
    done = list(recount.recount(alerts))
    assert len(done) == len(alerts) > 100
    assert not [each.differences for each in done if each.differences]
