"""The texts of a safety alert, by category: headline, sentence, reason, next step, caveat.

Every text is a function of the alert and the language alone: the same alert gives the same bytes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from schemas.safety_alert import AlertCategory, EndReason, SafetyAlert, SubjectKind
from streams.core.wording.catalogue import Catalogue, Language, capitalised, catalogue
from streams.core.wording.safety_facts import (
    all_changes,
    cases_left,
    changed_count,
    end_in_words,
    first_change,
    flag_clauses,
    indication,
    is_again,
    is_ended,
    joined,
    named_facilities,
    onset,
    places,
    product,
    professionals,
    rule_in_words,
    same_cases,
    serious_cases,
    terms_in_words,
    titled,
)
from streams.core.wording.safety_steps import safety_step
from streams.core.wording.safety_subjects import (
    exposure_facts,
    exposure_headline,
    overdue_facts,
    overdue_headline,
    rumour_facts,
    rumour_headline,
    series_facts,
    series_headline,
    usage_facts,
    usage_headline,
)

__all__ = ["SafetyTexts", "safety_texts"]

_Clause = Callable[[SafetyAlert, Catalogue], str]
_Facts = Callable[[SafetyAlert, Catalogue], list[str]]


@dataclass(frozen=True, slots=True)
class SafetyTexts:
    """Texts of one safety alert in one language.

    Attributes
    ----------
    headline
        Event, product and what happened; without a full stop.
    sentence
        The whole alert; begins with the headline.
    reason
        What changed, or why it ended.
    next_step
        What to do next, and by when.
    caveat
        Limits of what the alert states.
    """

    headline: str
    sentence: str
    reason: str
    next_step: str
    caveat: str


def safety_texts(alert: SafetyAlert, language: Language = Language.ENGLISH) -> SafetyTexts:
    """Return the texts of a safety alert from its facts; its own texts are not read."""
    words = catalogue(language)
    head, facts = _BY_CATEGORY[alert.category]
    headline = capitalised(head(alert, words))
    return SafetyTexts(
        headline=headline,
        sentence=words.sentences([headline, *facts(alert, words)]),
        reason=_reason(alert, words),
        next_step=safety_step(alert, words),
        caveat=words.text("safety.caveat"),
    )


def _reason(alert: SafetyAlert, words: Catalogue) -> str:
    if is_ended(alert):
        return end_in_words(alert, words)
    if alert.was is None:
        return words.text("safety.reason.new")
    if is_again(alert):
        return words.text("safety.reason.again")
    return all_changes(alert, words)


def _cluster_headline(alert: SafetyAlert, words: Catalogue) -> str:
    unit = _UNITS[alert.category]
    title = words.text(
        "safety.after_unit",
        terms=terms_in_words(alert, words),
        product=product(alert, words),
        unit=words.text(f"safety.unit.{unit}", name=alert.subject),
    )
    what = _cluster_end if is_ended(alert) else _cluster_change
    return words.text("safety.headline", title=title, what=what(alert, unit, words))


def _cluster_change(alert: SafetyAlert, unit: SubjectKind, words: Catalogue) -> str:
    if alert.was is None or is_again(alert):
        form = "new" if alert.was is None else "again"
        covered = "" if unit is SubjectKind.LOT else "_no_lot"
        return words.text(f"safety.cluster.{form}{covered}", cases=serious_cases(alert, words))
    more = alert.n_cases - alert.was.n_cases
    if more:
        return words.count("safety.more" if more > 0 else "safety.fewer", abs(more))
    return words.text("safety.cluster.changed", changes=first_change(alert, words))


def _cluster_end(alert: SafetyAlert, unit: SubjectKind, words: Catalogue) -> str:
    because = alert.ended_because or EndReason.CASES_AMENDED
    left = cases_left(alert, words)
    if because is EndReason.CASES_WITHDRAWN and alert.was is not None:
        gone = alert.was.n_cases - alert.n_cases
        return words.count("safety.cluster_ended.cases_withdrawn", gone, left=left)
    return words.text(f"safety.cluster_ended.{because}", left=left)


def _cluster_facts(alert: SafetyAlert, words: Catalogue) -> list[str]:
    rule = "" if alert.rule is None else rule_in_words(alert.rule, words)
    if is_ended(alert):
        told = rule and alert.ended_because is not EndReason.SHARED_LOT
        return [words.text("safety.rule.ended", rule=rule)] if told else []
    days, facilities = onset(alert, words), named_facilities(alert, words)
    facts = [days, facilities]
    if alert.was is not None and not is_again(alert):
        cases = changed_count(serious_cases(alert, words), alert.was.n_cases, alert.n_cases, words)
        facts = [cases, facilities, days]
    return [
        words.clauses(filter(None, [*facts, places(alert, words)])),
        same_cases(alert, words),
        professionals(alert, words),
        *indication(alert, words),
        *flag_clauses(alert, words),
        words.text("safety.rule.met", rule=rule) if rule else "",
    ]


def _fatal_headline(alert: SafetyAlert, words: Catalogue) -> str:
    # A copy for a tier without case numbers states no kind of subject.
    form = "fatal" if alert.subject_kind is SubjectKind.CASE else "fatal_unnamed"
    if is_ended(alert):
        code: str = alert.ended_because or EndReason.CASES_WITHDRAWN
    elif alert.was is None:
        code = "new"
    else:
        code = "again" if is_again(alert) else "changed"
    changes = first_change(alert, words) if code == "changed" else ""
    what = words.text(f"safety.{form}.{code}", id=alert.subject, changes=changes)
    return titled(alert, what, words)


def _fatal_facts(alert: SafetyAlert, words: Catalogue) -> list[str]:
    if is_ended(alert):
        return []
    by = "professional" if alert.n_by_professional else "other"
    known = [onset(alert, words), places(alert, words), words.text(f"safety.by.{by}")]
    subjects = joined(alert.part_of, words)
    return [
        words.clauses(filter(None, known)),
        words.text("safety.part_of", subjects=subjects) if subjects else "",
        words.text("safety.every_fatal"),
        *indication(alert, words),
        *flag_clauses(alert, words),
    ]


_UNITS = {
    AlertCategory.LOT_CLUSTER: SubjectKind.LOT,
    AlertCategory.FACILITY_CLUSTER: SubjectKind.FACILITY,
    AlertCategory.MANUFACTURER_CLUSTER: SubjectKind.MANUFACTURER,
    AlertCategory.DISTRIBUTOR_CLUSTER: SubjectKind.DISTRIBUTOR,
}
_BY_CATEGORY: Mapping[AlertCategory, tuple[_Clause, _Facts]] = {
    **dict.fromkeys(_UNITS, (_cluster_headline, _cluster_facts)),
    AlertCategory.FATAL_CASE: (_fatal_headline, _fatal_facts),
    AlertCategory.UNVERIFIED_FATAL: (rumour_headline, rumour_facts),
    AlertCategory.CASE_SERIES: (series_headline, series_facts),
    AlertCategory.ONGOING_EXPOSURE: (exposure_headline, exposure_facts),
    AlertCategory.USAGE_RULE: (usage_headline, usage_facts),
    AlertCategory.FOLLOW_UP_OVERDUE: (overdue_headline, overdue_facts),
}
