"""Values of the template of a signal: everything that one revision says, as of its day."""

import shlex
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import quote

from schemas.alert import Alert
from schemas.safety_alert import SafetyAlert
from streams.console.desk import Desk
from streams.console.frame.formats import MINUS
from streams.console.frame.texts import texts_in
from streams.console.signal.asked import Asked
from streams.console.signal.changes import changes, component
from streams.console.signal.evidence import evidence_of
from streams.console.signal.figures import ON_SCREEN, Widths, restricted_figure, signal_figures
from streams.console.signal.findings import findings
from streams.console.signal.gaps import gaps
from streams.console.signal.ledger import decision_entries, ledger_entries, subject_states
from streams.console.signal.listing import listed, plain_row
from streams.console.signal.measures_table import Comparator, compared_with
from streams.console.signal.rules_table import rule_rows
from streams.core.alerts.undecided import signal_status
from streams.core.wording.catalogue import Language, catalogue
from streams.core.wording.names import event_name, product_name
from streams.core.wording.safety_text import safety_texts
from streams.core.wording.signal_text import signal_texts
from streams.delivery.api.line_listing import KnownVersion

__all__ = [
    "addresses",
    "before_of",
    "days_left",
    "known_versions",
    "recount_command",
    "safety_values",
    "signal_values",
]

CONTENTS = (
    *("changed", "time", "table", "strata", "cases", "neighbours", "rules", "ledger", "lines"),
    "proof",
)
"""Parts of the page, in order."""


def signal_values(
    desk: Desk, asked: Asked, language: Language, comparator: Comparator, widths: Widths = ON_SCREEN
) -> Mapping[str, Any]:
    """Return what `signal.html.j2` names.

    Parameters
    ----------
    comparator
        What the measures compare the pair with.
    widths
        Widths of the figures: those of the page, or those of print.
    """
    alert, previous = asked.statistical, asked.previous
    changed = changes(alert, previous)
    rows = listed(alert, known_versions(desk, alert), changed.came)
    every = [one for one in asked.known if isinstance(one, Alert)]
    ledger = ledger_entries(alert, asked.entries, language)
    day, t = asked.day or desk.intake.closed or alert.evaluated_on, texts_in(language)
    evidence = evidence_of(desk.whole_history, alert, day, by_sex=desk.test_by_sex)
    figures = evidence and signal_figures(evidence, every, rows, ledger, day, t, widths)
    return {
        "evidence": evidence,
        "figures": figures,
        "found": evidence and findings(evidence),
        "restricted_figure": restricted_figure(every, t, widths.half)
        if comparator is Comparator.INDICATION and alert.restricted
        else None,
        **addresses(asked),
        "contents": CONTENTS,
        "minus": MINUS,
        "component": component,
        "asked": asked,
        "alert": alert,
        "previous": previous,
        "revisions": every,
        "product": product_name(alert.drug, language),
        "event": event_name(alert.event, language),
        "texts": signal_texts(alert, language) if language is Language.JAPANESE else alert,
        "status": signal_status(alert).value,
        "changed": changed,
        "table": compared_with(comparator, alert, previous),
        "comparators": tuple(Comparator),
        "rules": rule_rows(every, language),
        "ledger": ledger,
        "subjects": subject_states(alert),
        "lines": rows,
        "gaps": gaps(alert, [row.line for row in rows]),
        "days_left": days_left(asked, desk),
        "strata_name": _strata_name(alert, language),
        "recount": recount_command(alert, desk),
    }


def safety_values(desk: Desk, asked: Asked, language: Language) -> Mapping[str, Any]:
    """Return what `safety.html.j2` names: a safety alert, its cases and its ledger."""
    alert = asked.alert
    assert isinstance(alert, SafetyAlert)
    with desk.service.model() as model:
        lines = model.lines(alert.case_ids) if asked.day is None else []
    return {
        **addresses(asked),
        "asked": asked,
        "alert": alert,
        "texts": safety_texts(alert, language) if language is Language.JAPANESE else alert,
        "ledger": decision_entries(asked.entries),
        "subjects": (),
        "lines": [plain_row(line) for line in lines],
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


def known_versions(desk: Desk, alert: Alert) -> list[KnownVersion]:
    """Return the versions of the cases of a revision that its counts were made from."""
    with desk.service.model() as model:
        return model.versions(alert.case_ids, before=before_of(alert))


def before_of(alert: Alert) -> Mapping[str, int]:
    """Return the first position, by source, that a revision does not count."""
    return {f"{one.topic}[{one.partition}]": one.next_offset for one in alert.as_of}


def days_left(asked: Asked, desk: Desk) -> int | None:
    """Return the days until somebody must decide, negative if overdue; None if nobody must."""
    due = asked.assessment.due
    if due is None:
        return None
    today: date = asked.day or desk.intake.closed or desk.service.now().date()
    return (due - today).days
