"""Revisions of the public: by band, numbered for themselves, and deaths added up."""

import itertools
import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from schemas.alert import Alert, AlertKind, SignalGrade
from schemas.notice import Patients
from schemas.safety_alert import AlertCategory, SafetyAlert, SafetyAlertKind
from schemas.subscription import Tier
from schemas.vocabulary import VerificationState
from streams.delivery.tier_copies import PUBLIC_TABLES, TierCopies, dated_copies, known_day
from tests.support.alerts import KEY, copies_of, copy_of, safety, signal

ALARM, WIDER = SignalGrade
ENDED = SafetyAlertKind.RETRACTION
FATAL = AlertCategory.FATAL_CASE


def history_of(*counts: int) -> list[Alert]:
    return [signal(n, revision=at) for at, n in enumerate(counts, start=1)]


def off(alert: Alert) -> Alert:
    return alert.model_copy(update={"rules_fired": (), "kind": AlertKind.CLOSED})


def seen(alerts: Sequence[Alert | SafetyAlert]) -> list[tuple[int, str, str]]:
    """Return number, kind and band of each public revision."""
    return [
        (copy["revision"], copy["kind"], copy.get("n_observed") or copy["n_patients"])
        for copy in copies_of(Tier.PUBLIC, *alerts)
    ]


def test_a_revision_within_a_band_is_none() -> None:
    assert seen(history_of(3, 4, 10, 11, 12, 9)) == [
        (1, "new", "1-10"),
        (2, "strengthened", "11-50"),
        (3, "weakened", "1-10"),
    ]


def test_differencing_recovers_no_masked_count() -> None:
    """Brute force: what the public has of three revisions fits ten values of each masked count."""
    by_view: dict[str, list[tuple[int, ...]]] = {}
    for counts in itertools.product((*range(1, 14), 51), repeat=3):
        copies = copies_of(Tier.PUBLIC, *history_of(*counts))
        shown = [{k: v for k, v in copy.items() if k != "alert_id"} for copy in copies]
        by_view.setdefault(json.dumps(shown), []).append(counts)
    for same in by_view.values():
        for place in range(3):
            values = {counts[place] for counts in same}
            if any(1 <= value <= 10 for value in values):
                assert values >= set(range(1, 11))


def test_a_death_or_its_withdrawal_is_no_revision_of_a_pair() -> None:
    deaths = [signal(9, revision=at, fatal=n) for at, n in enumerate((0, 1, 0, 9), start=1)]
    (copy,) = copies_of(Tier.PUBLIC, *deaths)
    assert copy["n_fatal"] == "0-10"
    urgent = signal(fatal=1).model_copy(update={"urgent": True})
    told, plain = (copy_of(Tier.PUBLIC, one) for one in (urgent, signal()))
    assert told == plain


@pytest.mark.parametrize("n", [2, 3, 30])
def test_the_public_copy_does_not_depend_on_the_grade(n: int) -> None:
    """The grades' rules differ in the cases they need: the grade could tell three from two."""
    alarm = [signal(n), signal(60, revision=2)]
    wider = [signal(n), signal(60, revision=2, grade=WIDER)]
    assert copies_of(Tier.PUBLIC, *alarm) == copies_of(Tier.PUBLIC, *wider)
    assert "grade" not in copy_of(Tier.PUBLIC, signal(n))


def test_the_public_sees_a_signal_from_its_first_alarm_to_its_end() -> None:
    screening = [signal(drug="zinc", revision=n, grade=WIDER) for n in (1, 2)]
    assert seen([*screening, off(signal(drug="zinc", revision=3, grade=WIDER))]) == []
    later = [signal(drug="zinc", revision=3), off(signal(2, drug="zinc", revision=4, grade=WIDER))]
    again = signal(drug="zinc", revision=5, grade=WIDER)
    gone = off(signal(0, drug="zinc", revision=6))
    assert seen([*screening, *later, again, gone]) == [
        (1, "new", "1-10"),
        (2, "closed", "1-10"),
        (3, "strengthened", "1-10"),
        (4, "retraction", "0"),
    ]


def test_ids_and_numbers_reveal_no_hidden_revision() -> None:
    few, many = ([signal(3), signal(60, revision=n)] for n in (2, 9))
    for name in ("revision", "kind"):
        assert [copy[name] for copy in copies_of(Tier.PUBLIC, *few)] == [
            copy[name] for copy in copies_of(Tier.PUBLIC, *many)
        ]
    ids = {copy["alert_id"] for copy in copies_of(Tier.PUBLIC, *few)}
    assert len(ids) == 2
    assert ids.isdisjoint({alert.alert_id for alert in few})
    assert copies_of(Tier.PUBLIC, *few) == copies_of(Tier.PUBLIC, *few)


def cluster(n: int, revision: int, **fields: Any) -> SafetyAlert:
    ids = tuple(f"NE-{at}" for at in range(n))
    alert = safety(revision=revision, n_cases=n)
    return alert.model_copy(update={"case_ids": ids, **fields})


def test_a_cluster_within_its_band_is_one_revision_until_its_end() -> None:
    grown = [
        cluster(2, 1),
        cluster(3, 2, kind=SafetyAlertKind.STRENGTHENED, terms=("Sepsis", "Rash")),
        cluster(2, 3, kind=SafetyAlertKind.WEAKENED, countries=("KR", "US")),
    ]
    assert seen(grown) == [(1, "new", "1-10")]
    end = [cluster(left, 4, kind=ENDED) for left in (0, 1)]
    assert seen([*grown, end[0]]) == seen([*grown, end[1]])
    assert seen([*grown, end[0], cluster(4, 5)]) == [
        (1, "new", "1-10"),
        (2, "retraction", "0-10"),
        (3, "strengthened", "1-10"),
    ]
    assert seen([cluster(0, 4, kind=ENDED)]) == []
    copy = copy_of(Tier.PUBLIC, cluster(2, 1))
    assert (copy["terms"], copy["countries"], copy["duty"]) == ([], [], [])


def test_the_state_of_a_series_is_a_revision() -> None:
    series = [
        safety(AlertCategory.CASE_SERIES, revision=at, verification=state, patients=patients)
        for at, (state, patients) in enumerate(
            [
                (VerificationState.RUMOUR, Patients(at_least=4)),
                (VerificationState.RUMOUR, Patients(at_least=7)),
                (VerificationState.CONTESTED, Patients(at_least=7)),
            ],
            start=1,
        )
    ]
    assert seen(series) == [(1, "new", "1-10"), (2, "update", "1-10")]


def death(case: str, revision: int = 1, **fields: Any) -> SafetyAlert:
    return safety(FATAL, revision=revision, subject=case, n_cases=1).model_copy(update=fields)


def test_deaths_are_added_up_by_product_class() -> None:
    deaths = [death(f"NE-{n}", terms=(f"Term {n}",), countries=("KR",)) for n in range(12)]
    copies = copies_of(Tier.PUBLIC, *deaths)
    assert [copy["n_patients"] for copy in copies] == ["1-10", "11-50"]
    assert {copy["signal_key"] for copy in copies} == {"FATAL_CASE|extracellular-vesicles"}
    assert [copy["urgent"] for copy in copies] == [True, True]
    for copy in copies:
        assert (copy["terms"], copy["families"], copy["countries"]) == ([], [], [])
        assert "NE-" not in json.dumps(copy)
    ends = [death(f"NE-{n}", 2, kind=ENDED) for n in range(12)]
    assert seen([*deaths, *ends])[2:] == [(3, "weakened", "1-10"), (4, "closed", "0")]
    assert seen([*deaths, *deaths, *ends[:1]]) == seen(deaths)
    assert seen([ends[0]]) == []


def test_a_death_moves_to_the_sum_of_its_other_class() -> None:
    moved = death("NE-1", 2, product_class="cell-product")
    found = copies_of(Tier.PUBLIC, death("NE-1"), moved)
    assert [(copy["product_class"], copy["kind"]) for copy in found] == [
        ("extracellular-vesicles", "new"),
        ("extracellular-vesicles", "closed"),
        ("cell-product", "new"),
    ]
    assert len({copy["alert_id"] for copy in found}) == 3


@pytest.fixture
def copies() -> Iterator[TierCopies]:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(PUBLIC_TABLES)
    db.execute("INSERT INTO public_series VALUES (?, 7, '')", (signal().signal_key,))
    yield TierCopies(db, key=KEY)
    db.close()


def test_what_was_sent_before_there_were_bands_is_followed_to_its_end(copies: TierCopies) -> None:
    (update,) = copies.of(Tier.PUBLIC, signal(4, revision=12))
    assert (update["revision"], update["kind"]) == (8, "update")
    assert copies.of(Tier.PUBLIC, signal(4, revision=12)) == []
    assert copies.of(Tier.PUBLIC, signal(44, revision=11)) == []
    (end,) = copies.of(Tier.PUBLIC, off(signal(4, revision=13)))
    assert (end["revision"], end["kind"]) == (9, "closed")


def test_the_public_knows_the_month_of_a_copy() -> None:
    day = safety().evaluated_on
    for tier in (Tier.CONSUMER, Tier.PUBLIC):
        ((known, _),) = dated_copies(tier, [safety()], key=KEY)
        assert known == known_day(tier, day)
        assert (known == day) is (tier is Tier.CONSUMER)
