"""Signals with a decision: their state, and the day by which the next step is due."""

from datetime import date

import pytest

from schemas.decision import Decision, SignalState
from streams.console.worklist.decided_signals import DECIDED, DecidedSignals
from streams.delivery.api.service import Service
from tests.support.api_server import NOW
from tests.support.many_signals import many_signals, next_revision, store

COPY = next(iter(many_signals(1)))
KEY = COPY["signal_key"]


def decide(service: Service, to: SignalState, key: str = KEY) -> None:
    service.audit.decide(
        Decision(signal_key=key, to=to, by="Okafor", reason="a reason that is long enough"), NOW
    )


def test_nothing_is_decided_at_first(service: Service) -> None:
    decided = DecidedSignals(service)
    assert decided.frame([]).schema == DECIDED
    assert decided.frame([KEY]) is decided.frame([])


def test_a_step_gives_state_day_and_who(service: Service) -> None:
    decide(service, SignalState.UNDER_TRIAGE)
    (row,) = DecidedSignals(service).frame([]).iter_rows(named=True)
    assert (row["key"], row["state"], row["decided_by"]) == (KEY, "under_triage", "Okafor")
    assert row["decided_on"] == NOW.date()
    assert row["decided_due"].isoformat() == COPY["due"]  # triage begins the work and ends no duty


def test_after_a_decision_only_later_revisions_are_due(service: Service) -> None:
    decided = DecidedSignals(service)
    decide(service, SignalState.UNDER_TRIAGE)
    decided.frame([])
    decide(service, SignalState.MONITORING)
    assert decided.frame([])["decided_due"].to_list() == [None]
    later = next_revision(COPY, 1) | {
        "own_due": "2024-07-01",
        "headline": "h",
        "evaluated_on": "2024-06-05",
    }
    with service.model() as model:
        store(model, [later])
    assert decided.frame([KEY])["decided_due"].to_list() == [date(2024, 7, 1)]


def test_a_decision_on_an_unknown_signal_is_no_row(service: Service) -> None:
    decide(service, SignalState.UNDER_TRIAGE, key="nowhere|nothing|cumulative")
    assert DecidedSignals(service).frame([]).is_empty()


def test_a_broken_log_keeps_what_was_read_and_says_so(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    decided = DecidedSignals(service)
    decide(service, SignalState.UNDER_TRIAGE)
    before = decided.frame([])
    with service.audit.path.open("a") as file:
        file.write("{}\n")
    assert decided.frame([]).equals(before)
    assert "keeps the decisions it has read before" in caplog.text
