"""Values of the template of a signal: everything that one revision says, as of its day."""

import shlex
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Query

from schemas.alert import Alert
from schemas.decision import SignalState
from schemas.safety_alert import SafetyAlert
from streams.console.cases.listing import listed, plain_row
from streams.console.desk import Desk
from streams.console.frame.formats import MINUS
from streams.console.frame.rendering import Frame
from streams.console.frame.texts import texts_in
from streams.console.readers import Readers
from streams.console.signal.asked import Asked
from streams.console.signal.changes import changes, component
from streams.console.signal.decision_form import SHORTEST_REASON, decision_form
from streams.console.signal.evidence import Evidence, evidence_of
from streams.console.signal.figures import ON_SCREEN, Widths, restricted_figure, signal_figures
from streams.console.signal.findings import findings
from streams.console.signal.gaps import gaps
from streams.console.signal.ledger import decision_entries, ledger_entries, subject_states
from streams.console.signal.measures_table import Comparator, compared_with
from streams.console.signal.rules_table import rule_rows
from streams.core.alerts.undecided import signal_status
from streams.core.wording.catalogue import Language, capitalised, catalogue
from streams.core.wording.names import event_name, product_name
from streams.core.wording.safety_text import safety_texts
from streams.core.wording.signal_text import signal_texts
from streams.delivery.api.line_listing import KnownVersion
from streams.delivery.api.tokens import Scope

__all__ = [
    "AsOf",
    "addresses",
    "days_left",
    "known_versions",
    "name_values",
    "onset_days",
    "recount_command",
    "safety_values",
    "signal_values",
]

AsOf = Annotated[date | None, Query(description="Last day that is known.")]

MOST_LINES = 50
"""Cases on the page; all are on the page of the line listing."""

_EPOCH = date(1970, 1, 1)

CONTENTS = (
    *("changed", "time", "table", "strata", "cases", "neighbours", "rules", "ledger", "lines"),
    "proof",
)
"""Parts of the page, in order."""


def signal_values(
    frame: Frame, asked: Asked, comparator: Comparator, widths: Widths = ON_SCREEN
) -> Mapping[str, Any]:
    """Return what `signal.html.j2` names.

    Parameters
    ----------
    comparator
        What the measures compare the pair with.
    widths
        Widths of the figures: those of the page, or those of print.
    """
    desk, language, t = frame.desk, frame.language, texts_in(frame.language)
    alert, previous = asked.statistical, asked.previous
    changed = changes(alert, previous)
    rows = listed(alert, known_versions(desk, alert, asked.day), changed.came)
    every = [one for one in asked.known if isinstance(one, Alert)]
    ledger = ledger_entries(alert, asked.entries, language)
    day = asked.day or desk.intake.closed or alert.evaluated_on
    evidence = evidence_of(desk.whole_history, alert, day, by_sex=desk.test_by_sex)
    figures = evidence and signal_figures(
        evidence, every, rows, ledger, day, t, widths, _signed_off(frame, asked)
    )
    return {
        **addresses(asked),
        **name_values(alert, language),
        **decision_values(frame, asked),
        "asked": asked,
        "alert": alert,
        "previous": previous,
        "revisions": every,
        "texts": signal_texts(alert, language) if language is Language.JAPANESE else alert,
        "status": signal_status(alert).value,
        "contents": CONTENTS,
        "minus": MINUS,
        "component": component,
        "changed": changed,
        "evidence": evidence,
        "figures": figures,
        "found": evidence and findings(evidence),
        "n_since": _n_since(evidence, alert),
        "page_day": day,
        "comparator": comparator,
        "comparators": tuple(Comparator),
        "table": compared_with(comparator, alert, previous),
        "restricted_figure": restricted_figure(every, t, widths.half)
        if comparator is Comparator.INDICATION and alert.restricted
        else None,
        "rules": rule_rows(every, language),
        "ledger": ledger,
        "subjects": subject_states(alert),
        "lines": rows[:MOST_LINES],
        "days_of": onset_days(evidence),
        "n_lines": len(rows),
        "gaps": gaps(alert, [row.line for row in rows]),
        "days_left": days_left(asked, desk),
        "strata_name": _strata_name(alert, language),
        "recount": recount_command(alert, desk),
    }


def name_values(alert: Alert, language: Language) -> Mapping[str, Any]:
    """Return the names of a pair as pages show them."""
    return {
        "product": product_name(alert.drug, language),
        "event": capitalised(event_name(alert.event, language)),
    }


def decision_values(frame: Frame, asked: Asked) -> Mapping[str, Any]:
    """Return the decision form of a reader who may decide, on the page of now alone."""
    may = Scope.DECISIONS_WRITE in frame.who.scopes
    is_now = asked.day is None and asked.alert.revision == asked.newest
    t = texts_in(frame.language)

    def joined_states(states: Iterable[SignalState]) -> str:
        return t("signal.decide_or").join(t(f"signal.state_{state}") for state in states)

    return {
        "joined_states": joined_states,
        "shortest_reason": SHORTEST_REASON,
        "form": decision_form(asked) if may and is_now else None,
        "refused": False,
        "stale": None,
        "signed": None,
    }


def onset_days(evidence: Evidence | None) -> Mapping[str, int]:
    """Return the days from the first dose to the onset, of each case that states both."""
    if evidence is None:
        return {}
    stated = evidence.lanes.drop_nulls("onset_days")
    return dict(stated.select("case_id", "onset_days").iter_rows())


def _signed_off(frame: Frame, asked: Asked) -> date | None:
    """Return the day of the reader's last sign-off, on the page of now alone."""
    if asked.day is not None or not frame.who.reader:
        return None
    with Readers(frame.desk.readers_path) as readers:
        known = readers.find(frame.who.reader)
    return None if known is None else known.signed_until


def _n_since(evidence: Evidence | None, alert: Alert) -> int:
    """Return how many cases of the pair more are counted on the day than the revision counts."""
    if evidence is None or evidence.trend.is_empty():
        return 0
    counted: int = evidence.trend["n_observed"][-1]
    return counted - alert.counts.n_observed


def safety_values(frame: Frame, asked: Asked) -> Mapping[str, Any]:
    """Return what `safety.html.j2` names: a safety alert, its cases and its ledger."""
    alert, language = asked.alert, frame.language
    assert isinstance(alert, SafetyAlert)
    with frame.desk.service.model() as model:
        lines = model.lines(alert.case_ids) if asked.day is None else []
    return {
        **addresses(asked),
        **decision_values(frame, asked),
        "asked": asked,
        "alert": alert,
        "texts": safety_texts(alert, language) if language is Language.JAPANESE else alert,
        "ledger": decision_entries(asked.entries),
        "subjects": (),
        "lines": [plain_row(line) for line in lines],
        "days_of": {},
    }


def addresses(asked: Asked) -> Mapping[str, Any]:
    """Return the addresses of the pages of a signal, as of the shown revision and day."""
    address = f"/desk/signals/{quote(asked.alert.signal_key, safe='')}"
    query = "" if asked.day is None else f"?as_of={asked.day.isoformat()}"
    shown = (
        address if asked.alert.revision == asked.newest else f"{address}/r/{asked.alert.revision}"
    )

    def tab_address(comparator: str) -> str:
        return f"{shown}{query}{'&' if query else '?'}comparator={comparator}"

    return {"address": address, "shown_query": query, "tab_address": tab_address}


def recount_command(alert: Alert, desk: Desk) -> str:
    """Return the command that recounts a revision from the messages it was counted from."""
    command = f"tocsin recount {alert.alert_id}"
    if not desk.intake.replayed:
        return command
    sources = " ".join(f"--source {shlex.quote(name)}" for name in desk.intake.sources)
    return f"{command} --alerts alert.json {sources}"


def _strata_name(alert: Alert, language: Language) -> str:
    if alert.strata is None:
        return ""
    name = alert.strata.expected
    return catalogue(language).find(f"strata.{name}") or name


def known_versions(
    desk: Desk, alert: Alert, day: date | None, case_ids: Iterable[str] | None = None
) -> list[KnownVersion]:
    """Return the versions of the cases of a revision that had come by a day; None: all.

    Where the positions of a day are not known, only what the revision was counted from is.
    """
    before = None if day is None else _known_on(desk, alert, day)
    with desk.service.model() as model:
        return model.versions(alert.case_ids if case_ids is None else case_ids, before=before)


def _known_on(desk: Desk, alert: Alert, day: date) -> Mapping[str, int]:
    """Return the first position, by source, that is not known on a day."""
    if desk.history is None:
        return {f"{one.topic}[{one.partition}]": one.next_offset for one in alert.as_of}
    topic = alert.as_of[0].topic if alert.as_of else ""
    offsets = desk.history.offsets_on((day - _EPOCH).days)
    return {f"{topic}[{partition}]": offset for partition, offset in offsets.items()}


def days_left(asked: Asked, desk: Desk) -> int | None:
    """Return the days until somebody must decide, negative if overdue; None if nobody must."""
    due = asked.assessment.due
    if due is None:
        return None
    today: date = asked.day or desk.intake.closed or desk.service.now().date()
    return (due - today).days
