"""Values of the page of a subject."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.alert import Alert
from schemas.notice import Notice
from schemas.safety_alert import SafetyAlert
from schemas.subscription import Tier
from schemas.vocabulary import VerificationState
from streams.console.frame.rendering import Frame
from streams.console.frame.tier_alerts import safety_alert_of
from streams.console.safety.described_and_counted import SeriesRow, of_copies, of_record
from streams.console.safety.headings import headings
from streams.console.safety.ledger import Entry, ledger
from streams.console.safety.lot_table import By, LotTable, lot_table, onset_cases, same_hazard
from streams.console.safety.page_words import PageWords, template_functions
from streams.console.safety.pair_table import estimate, pair_alerts
from streams.console.safety.questions import open_questions
from streams.console.safety.statement import REPORTERS, SAID, Draft
from streams.console.safety.subject import AskedSubject
from streams.console.safety.threads_of_class import threads_figure
from streams.core.wording.catalogue import Language
from streams.core.wording.safety_text import safety_texts
from streams.delivery.api.tokens import Scope
from streams.figures.facts.alerts import restricted_facts
from streams.figures.onset_curve import OnsetCurveFacts, onset_curve
from streams.figures.restricted import restricted

__all__ = ["StatementForm", "may_state", "subject_values"]


@dataclass(frozen=True, slots=True)
class StatementForm:
    """The form as it is shown.

    Attributes
    ----------
    follows
        State that would follow; None before it was asked for.
    problem
        Name of the text of what is wrong with a field; empty if nothing is.
    wrong
        Name of the field.
    conflict
        Whether the state that would follow is no longer the one that was named.
    """

    draft: Draft = field(default_factory=Draft)
    follows: VerificationState | None = None
    wrong: str = ""
    problem: str = ""
    conflict: bool = False


def may_state(frame: Frame, asked: AskedSubject) -> bool:
    """Return whether the reader may add a statement on a subject."""
    return (
        asked.tier is Tier.AUTHORITY
        and bool(asked.known.notices)
        and Scope.VERIFICATIONS_WRITE in frame.who.scopes
        and frame.desk.service.notices is not None
    )


def subject_values(
    frame: Frame, asked: AskedSubject, by: By, form: StatementForm, added: str
) -> dict[str, Any]:
    """Return what the template of a subject names.

    Parameters
    ----------
    by
        Unit that the columns of the table of lots are of.
    added
        Id of the notice that was just added; empty if none was.
    """
    words = PageWords.of(frame.language)
    terms = _terms(asked)
    with frame.desk.service.model() as model:
        pairs = pair_alerts(model, asked.tier, asked.product_class, terms, asked.day)
    entries = ledger(asked.known, words) if asked.record is not None else _of_copies(asked, words)
    return {
        "asked": asked,
        "head": headings(asked, pairs, frame.language, words),
        "entries": entries,
        "n_voices": len({words.who(notice) for notice in asked.known.notices}),
        "related": asked.related,
        "series": _series(asked, words),
        "pairs": pairs,
        "estimate": estimate,
        "restricted": _restricted(pairs, frame.language),
        "signals": asked.known.signals,
        "headline": lambda copy: _headline(copy, asked.tier, frame.language),
        "questions": open_questions(asked.known.notices, asked.own_cases, asked.day, words),
        "duty": () if asked.main is None else asked.main.latest.get("duty", ()),
        "threads": threads_figure(frame.desk, asked, words, frame.language),
        "form": form if may_state(frame, asked) else None,
        "reporters": REPORTERS,
        "said": SAID,
        "added": added in {notice.notice_id for notice in asked.known.notices},
        **template_functions(frame),
        **_lots(asked, by, frame.language),
    }


def _terms(asked: AskedSubject) -> Sequence[str]:
    if asked.main is not None:
        found: Sequence[str] = asked.main.latest["terms"]
        return found
    return tuple(dict.fromkeys(term for notice in asked.known.notices for term in notice.terms))


def _headline(copy: dict[str, Any], tier: Tier, language: Language) -> str:
    if tier is Tier.PUBLIC:
        return str(copy["headline"])
    return safety_texts(safety_alert_of(copy), language).headline


def _of_copies(asked: AskedSubject, words: PageWords) -> list[Entry]:
    """Return the statements that the copies of a tier state, in order."""
    if asked.main is None:
        return []
    stated = asked.main.latest.get("stated", ())
    alert: SafetyAlert | None = safety_alert_of(asked.main.latest) if stated else None
    return [
        Entry(
            day=one.on,
            mark=None,
            by=words.role(one.by),
            what=words.text(f"said_{one.said}"),
            ground="",
            effect="",
            note="",
        )
        for one in (alert.stated if alert is not None else ())
    ]


def _series(asked: AskedSubject, words: PageWords) -> list[SeriesRow]:
    if asked.record is None:
        return of_copies(asked.known.signals, words)
    if not any(_states_patients(notice) for notice in asked.known.notices):
        return []
    return of_record(asked.known.notices, asked.known.changes, words)


def _states_patients(notice: Notice) -> bool:
    return notice.patients is not None


def _restricted(pairs: Sequence[Alert], language: Language) -> str:
    facts = restricted_facts(pairs, language=language.value)
    return "" if facts is None else restricted(facts, language=language.value)


def _lots(asked: AskedSubject, by: By, language: Language) -> dict[str, Any]:
    alert, record = asked.cluster, asked.record
    if alert is None or record is None:
        return {"lots": None, "curve": "", "by": by, "units": tuple(By)}
    cases = same_hazard(alert, asked.cases)
    table: LotTable = lot_table(
        alert,
        cases,
        lambda lot, ids: record.spellings(lot, [*ids, *asked.duplicates_of(ids)], asked.day),
        by,
    )
    facts = OnsetCurveFacts(alert.subject, onset_cases(alert, cases, table.letters))
    curve = onset_curve(facts, language=language.value)
    return {"lots": table, "curve": curve, "by": by, "units": tuple(By)}
