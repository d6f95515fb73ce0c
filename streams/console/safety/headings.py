"""Title and first sentences of a subject's page: what is known, and on whose word."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from schemas.alert import Alert
from schemas.notice import Patients
from schemas.safety_alert import AlertCategory, SafetyAlert
from schemas.subscription import Tier
from schemas.vocabulary import VerificationState
from streams.console.frame.tier_alerts import safety_alert_of
from streams.console.safety.known_copies import day_of
from streams.console.safety.ledger import state_changes
from streams.console.safety.page_words import PageWords
from streams.console.safety.pair_table import supported_within
from streams.console.safety.subject import AskedSubject
from streams.core.cases.domain_case import DomainCase
from streams.core.safety.subjects import LinkedCase, describe
from streams.core.wording.catalogue import Language, capitalised
from streams.core.wording.safety_text import safety_texts
from streams.delivery.tiers import Copy

__all__ = ["Headings", "headings"]

_SETTLED = {
    VerificationState.VALID_ICSR,
    VerificationState.HCP_CONFIRMED,
    VerificationState.AUTHORITY_CONFIRMED,
    VerificationState.REFUTED,
    VerificationState.UNRESOLVABLE,
}


@dataclass(frozen=True, slots=True)
class Headings:
    """Texts at the head of a page.

    Attributes
    ----------
    title
        The finding as a sentence.
    lede
        What happened when, and what was counted.
    sentence
        The alert in plain words; empty of a rumour or series, whose ledger says more.
    caveat
        What the page does not show.
    """

    title: str
    lede: str
    sentence: str
    caveat: str


@dataclass(frozen=True, slots=True)
class _Rumour:
    """A rumour or series, from notices or from copies alike."""

    terms: Sequence[str]
    product_class: str | None
    states: Sequence[tuple[date, VerificationState]]
    patients: Patients | None
    counted: Sequence[tuple[date, int]]


def headings(
    asked: AskedSubject, pairs: Sequence[Alert], language: Language, words: PageWords
) -> Headings:
    """Return the texts at the head of the page of a subject.

    Parameters
    ----------
    pairs
        Revisions of the signals of its events.
    """
    main = asked.main
    if asked.tier is Tier.PUBLIC and main is not None:
        copy = main.latest
        return Headings(copy["headline"], "", "", copy["caveat"])
    alert = None if main is None else safety_alert_of(main.latest)
    caveat = "" if alert is None else safety_texts(alert, language).caveat
    rumour = _rumour(asked)
    if rumour is not None:
        parts = [*_steps(rumour, words), _within(pairs, words)]
        return Headings(_rumour_title(rumour, words), words.sentences(parts), "", caveat)
    assert alert is not None
    texts = safety_texts(alert, language)
    title = _cluster_title(asked, alert, words) or texts.headline
    shared = words.sentences([_shared(asked, words)])
    return Headings(title, shared, texts.sentence, caveat)


def _rumour(asked: AskedSubject) -> _Rumour | None:
    if asked.known.notices:
        subject = describe(asked.known.notices, map(_linked, asked.own_cases), asked.day)
        return _Rumour(
            terms=subject.terms,
            product_class=subject.product_class,
            states=state_changes(asked.known.notices),
            patients=subject.patients if _describes_patients(asked) else None,
            counted=_counted(asked),
        )
    main = asked.main
    if main is None or main.latest.get("verification") is None:
        return None
    states: list[tuple[date, VerificationState]] = []
    for copy in main.copies:
        state = VerificationState(copy["verification"])
        if not states or states[-1][1] is not state:
            states.append((day_of(copy), state))
    patients = main.latest["patients"]
    return _Rumour(
        terms=main.latest["terms"],
        product_class=main.latest["product_class"],
        states=states,
        patients=None if patients is None else Patients.model_validate(patients),
        counted=[(day_of(copy), _counted_in(main.category, copy)) for copy in main.copies],
    )


def _describes_patients(asked: AskedSubject) -> bool:
    return any(notice.patients for notice in asked.known.notices)


def _linked(case: DomainCase) -> LinkedCase:
    return LinkedCase(case.case_id, True, case.by_professional, case.fatal)


def _counted_in(category: AlertCategory, copy: Copy) -> int:
    """Return the counted cases of a rumour; of one of deaths, the fatal ones."""
    name = "n_fatal" if category is AlertCategory.UNVERIFIED_FATAL else "n_verified"
    return int(copy[name])


def _counted(asked: AskedSubject) -> list[tuple[date, int]]:
    counted: set[str] = set()
    found = []
    for change in asked.known.changes:
        counted.discard(change.case.case_id)
        if change.counted:
            counted.add(change.case.case_id)
        found.append((change.day, len(counted)))
    return found


def _rumour_title(rumour: _Rumour, words: PageWords) -> str:
    terms = words.listed(rumour.terms) or words.alerts.text("safety.no_terms")
    product = words.product(rumour.product_class)
    if rumour.patients is not None and rumour.patients.at_least > 1:
        n = rumour.counted[-1][1] if rumour.counted else 0
        described = words.patients(rumour.patients)
        return words.text(
            "title_series", terms=terms, product=product, described=described, counted=n
        )
    states = words.states([state for _, state in rumour.states])
    return words.text("title_rumour", terms=terms, product=product, states=states)


def _steps(rumour: _Rumour, words: PageWords) -> Iterator[str]:
    for day, state in rumour.states:
        text = words.text("lede_state", state=words.state(state), day=words.day(day))
        yield capitalised(text)
    settled = next((day for day, state in rumour.states if state in _SETTLED), None)
    now = rumour.counted[-1][1] if rumour.counted else 0
    if settled is None:
        yield words.text("lede_counted", n=now)
    else:
        before = [n for day, n in rumour.counted if day < settled]
        yield words.text(
            "lede_before_and_since", day=words.day(settled), n=before[-1] if before else 0, now=now
        )


def _within(pairs: Sequence[Alert], words: PageWords) -> str:
    """Return whether the signal is supported within the indication; empty if not computed."""
    supported = supported_within(pairs)
    if supported is None:
        return ""
    return words.text("lede_supported" if supported else "lede_not_supported")


def _cluster_title(asked: AskedSubject, alert: SafetyAlert, words: PageWords) -> str:
    """Return whether it is one lot in several clinics, or one clinic; empty of other subjects."""
    cluster = asked.cluster
    if cluster is None or not alert.case_ids:
        return ""
    names = {
        "terms": words.listed(alert.terms),
        "product": words.product(alert.product_class),
        "name": alert.subject,
    }
    if alert.category is AlertCategory.LOT_CLUSTER:
        return words.text("title_lot", n=len(alert.facilities), **names)
    if alert.category is AlertCategory.FACILITY_CLUSTER:
        return words.text("title_clinic", n=len(alert.lots), **names)
    return ""


def _shared(asked: AskedSubject, words: PageWords) -> str:
    """Return whether the cases of a cluster share a lot or a clinic alone; empty if neither."""
    cluster = asked.cluster
    if cluster is None:
        return ""
    cases = [case for case in asked.cases if case.case_id in cluster.case_ids]
    if not cases:
        return ""
    lots = set.intersection(*(set(case.lots) for case in cases))
    clinics = set.intersection(*(set(case.facilities) for case in cases))
    if bool(lots) is bool(clinics):
        return ""
    return words.text("lede_one_lot" if lots else "lede_one_clinic")
