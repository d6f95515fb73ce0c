"""Clauses of safety alerts: names, days, counts, statements, flags and what changed."""

from collections.abc import Sequence

from schemas.safety_alert import (
    AlertCategory,
    ClusterRuleMet,
    EndReason,
    SafetyAlert,
    SafetyAlertKind,
    SafetyChange,
    Stated,
)
from schemas.vocabulary import VerificationState
from streams.core.cases.chronology import LATE_DAYS
from streams.core.wording.catalogue import Catalogue
from streams.core.wording.names import class_name, country
from streams.core.wording.numbers import days

__all__ = [
    "advisor",
    "all_changes",
    "cases_left",
    "changed_count",
    "end_in_words",
    "first_change",
    "flag_clauses",
    "indication",
    "is_again",
    "is_ended",
    "joined",
    "named_facilities",
    "onset",
    "places",
    "product",
    "professionals",
    "role",
    "rule_in_words",
    "serious_cases",
    "statements",
    "terms_in_words",
    "titled",
    "verdict",
]

_ENDED = {SafetyAlertKind.CLOSED, SafetyAlertKind.RETRACTION}
_MOST_TERM_WORDS = 8  # so that a headline has at most 30 words
_OTHER_TERMS_WORDS = 4  # "and 3 other terms"
_MOST_NAMES = 4  # of facilities, in a sentence
_MOST_COUNTRIES = 3
_MOST_STATEMENTS = 3  # so that a sentence has at most 45 words
_VERDICTS = {"confirmed", "refuted", "unresolvable"}
_IN_CASES = (  # flags of cases, in the order of a sentence
    *("lot_missing", "lot_in_other_letters", "late", "post_notice"),
)
_OF_CASES = {SafetyChange.DAYS, SafetyChange.REPORTERS, SafetyChange.FLAGS}
_COUNTED = {
    SafetyChange.CASES: "cases",
    SafetyChange.PATIENTS: "patients",
    SafetyChange.FACILITIES: "facilities",
    SafetyChange.LOTS: "lots",
}


def is_ended(alert: SafetyAlert) -> bool:
    """Return whether a revision ends its alert."""
    return alert.kind in _ENDED


def is_again(alert: SafetyAlert) -> bool:
    """Return whether a revision opens an alert that had ended."""
    return alert.was is not None and alert.was.kind in _ENDED and not is_ended(alert)


def product(alert: SafetyAlert, words: Catalogue) -> str:
    """Return the short label of the product class."""
    if alert.product_class is None:
        return words.text("safety.no_product")
    return class_name(alert.product_class, words)


def terms_in_words(alert: SafetyAlert, words: Catalogue) -> str:
    """Return the events of an alert: as many as a headline has room for, and how many others."""
    names = alert.terms
    if not names:
        rumour = alert.category is AlertCategory.UNVERIFIED_FATAL
        return words.text("safety.death" if rumour else "safety.no_terms")
    if sum(len(name.split()) for name in names) <= _MOST_TERM_WORDS:
        return words.listed(names)
    shown, room = 1, _MOST_TERM_WORDS - _OTHER_TERMS_WORDS - len(names[0].split())
    while shown < len(names) and (room := room - len(names[shown].split())) >= 0:
        shown += 1
    listed = words.listed(names[:shown])
    others = len(names) - shown
    return words.count("safety.terms", others, terms=listed) if others else listed


def titled(alert: SafetyAlert, what: str, words: Catalogue) -> str:
    """Return a headline that begins with the events and the product."""
    title = words.text(
        "safety.after", terms=terms_in_words(alert, words), product=product(alert, words)
    )
    return words.text("safety.headline", title=title, what=what)


def role(by: str, words: Catalogue) -> str:
    """Return who made a statement, from the role in a notice.

    >>> from streams.core.wording.catalogue import Language, catalogue
    >>> [role(by, catalogue(Language.ENGLISH)) for by in ("ministry", "coroner", "PMDA", "other")]
    ['the ministry', 'the coroner', 'PMDA', 'the other']
    """
    return _person("who", by, words)


def advisor(by: str, words: Catalogue) -> str:
    """Return who advised to stop the product, from the role in a notice."""
    return _person("advisor", by, words)


def _person(form: str, by: str, words: Catalogue) -> str:
    known = words.find(f"safety.{form}.{by.replace(' ', '_')}") or words.find(f"safety.{form}.{by}")
    if known is not None:
        return known
    if by[:1].isupper() or by.startswith(("the ", "a ", "an ")):
        return by
    return words.text("safety.other_role", role=by.replace("_", " "))


def joined(names: Sequence[str], words: Catalogue) -> str:
    """Return names as a list with *and* before the last one."""
    if len(names) < 2:
        return "".join(names)
    return words.text("safety.and").join([words.listed(names[:-1]), names[-1]])


def changed_count(text: str, before: int | None, now: int, words: Catalogue) -> str:
    """Return a count in words with the count before it, if that is known and another."""
    if before is None or before == now:
        return text
    return words.text("safety.up" if now > before else "safety.down", now=text, before=before)


def serious_cases(alert: SafetyAlert, words: Catalogue) -> str:
    """Return the number of cases of a cluster."""
    any_case = alert.rule is not None and not alert.rule.serious_only
    return words.count("safety.case" if any_case else "safety.serious_case", alert.n_cases)


def cases_left(alert: SafetyAlert, words: Catalogue) -> str:
    """Return how many cases of an alert that ended are still counted."""
    n = alert.n_cases
    return words.count("safety.left", n) if n else words.text("safety.left.none")


def named_facilities(alert: SafetyAlert, words: Catalogue) -> str:
    """Return the facilities of a cluster with their pseudonyms; empty without any."""
    names = alert.facilities
    if not names:
        return ""
    listed = words.listed(names[:_MOST_NAMES])
    if len(names) > _MOST_NAMES:
        listed = words.count("safety.names", len(names) - _MOST_NAMES, names=listed)
    count = words.count("safety.facility", len(names))
    text = words.text("safety.named.facilities", count=count, names=listed)
    before = None if alert.was is None or is_again(alert) else alert.was.n_facilities
    return changed_count(text, before, len(names), words)


def same_cases(alert: SafetyAlert, words: Catalogue) -> str:
    """Return the other units whose cluster has the same cases; empty without any."""
    n, names = alert.n_same_cases, alert.same_cases
    if not n or not names:
        return ""
    listed = words.listed(names[:_MOST_NAMES])
    if n > _MOST_NAMES:
        listed = words.count("safety.names", n - _MOST_NAMES, names=listed)
    return words.count("safety.same_cases", n, names=listed)


def onset(alert: SafetyAlert, words: Catalogue) -> str:
    """Return the days of onset or receipt of cases; empty in a copy that has none."""
    known = days(alert.first_day, alert.last_day, words)
    return words.text("safety.onset", days=known) if known else ""


def places(alert: SafetyAlert, words: Catalogue) -> str:
    """Return the countries of an alert, or how many there are."""
    if len(alert.countries) > _MOST_COUNTRIES:
        return words.text("safety.many_countries", n=len(alert.countries))
    return words.listed(country(code, words) for code in alert.countries)


def professionals(alert: SafetyAlert, words: Catalogue) -> str:
    """Return how many of the cases were reported by a health professional; empty without one."""
    if not alert.n_verified:
        return ""
    return words.text("safety.professionals", m=alert.n_by_professional, n=alert.n_verified)


def rule_in_words(rule: ClusterRuleMet, words: Catalogue) -> str:
    """Return the rule of a cluster.

    >>> from schemas.safety_alert import SubjectKind
    >>> from streams.core.wording.catalogue import Language, catalogue
    >>> rule_in_words(ClusterRuleMet(n_cases=2, within_days=30, family="infection",
    ...     unit=SubjectKind.LOT), catalogue(Language.ENGLISH))
    '2 serious infections of one lot within 30 days'
    """
    of = "serious" if rule.serious_only else "all"
    what = words.find(f"safety.rule.{of}.{rule.family}") or words.text(
        f"safety.rule.other_{of}", family=rule.family
    )
    return words.text(
        "safety.rule.text",
        n=rule.n_cases,
        what=what,
        unit=words.text(f"safety.rule.unit.{rule.unit}"),
        days=words.count("safety.rule.days", rule.within_days),
    )


def verdict(alert: SafetyAlert) -> Stated | None:
    """Return the last verdict on the subject; None without one."""
    return next((said for said in reversed(alert.stated) if said.said in _VERDICTS), None)


def statements(alert: SafetyAlert, words: Catalogue) -> str:
    """Return who said what on which day; empty without a statement.

    A verdict that the headline of an end names is not repeated.
    """
    stated = list(alert.stated)
    named = (VerificationState.REFUTED, VerificationState.UNRESOLVABLE)
    if is_ended(alert) and alert.verification in named and (last := verdict(alert)) is not None:
        stated.remove(last)
    if not stated:
        return ""
    latest = stated[-_MOST_STATEMENTS:]
    told = words.clauses(
        words.text(f"safety.said.{one.said}", who=role(one.by, words), day=one.on.isoformat())
        for one in latest
    )
    if len(stated) == len(latest):
        return words.text("safety.statements", statements=told)
    return words.text("safety.latest", shown=len(latest), n=len(stated), statements=told)


def flag_clauses(alert: SafetyAlert, words: Catalogue) -> list[str]:
    """Return what the reader has to know of the cases: one sentence, or none."""
    found = [flag for flag in _IN_CASES if flag in alert.flags]
    if not found:
        return []
    if alert.category is AlertCategory.FATAL_CASE:
        what = [words.text(f"safety.flag_single.{flag}", days=LATE_DAYS) for flag in found]
        return [words.text("safety.single", what=joined(what, words))]
    return [words.clauses(words.text(f"safety.flag.{flag}", days=LATE_DAYS) for flag in found)]


def indication(alert: SafetyAlert, words: Catalogue) -> list[str]:
    """Return that the event may be the condition treated, if it may: one sentence, or none."""
    return [words.text("safety.indication")] if "indication_confounding" in alert.flags else []


def all_changes(alert: SafetyAlert, words: Catalogue) -> str:
    """Return every fact that differs from the previous revision, with its counts."""
    known = [change for change in alert.changes if not _follows(change, alert)]
    changes = [_change(alert, change, words) for change in known]
    return words.clauses(changes) or words.text("safety.reason.no_change")


def _follows(change: SafetyChange, alert: SafetyAlert) -> bool:
    """Return whether a change goes without saying: another number of cases has other facts."""
    return change in _OF_CASES and SafetyChange.CASES in alert.changes


def first_change(alert: SafetyAlert, words: Catalogue) -> str:
    """Return the first fact that changed, and whether there are others."""
    changes = [_change(alert, change, words) for change in alert.changes[:1]]
    if len(alert.changes) > 1:
        changes.append(words.text("safety.change.other"))
    return words.clauses(changes) or words.text("safety.reason.no_change")


def _change(alert: SafetyAlert, change: SafetyChange, words: Catalogue) -> str:
    was = alert.was
    if was is None:
        return words.text("safety.change.other")
    if change is SafetyChange.STATE and alert.verification is not None:
        return words.text(
            "safety.change.state", state=words.text(f"safety.state.{alert.verification}")
        )
    if change is SafetyChange.STATEMENTS:
        new = dict.fromkeys(said.by for said in alert.stated if said not in was.stated)
        if not new:
            return words.text("safety.change.statements_same")
        who = joined([role(by, words) for by in new], words)
        return words.count("safety.change.statements", len(new), who=who)
    if (counted := _COUNTED.get(change)) is None:
        return words.text(f"safety.change.{change}")
    before, now = {
        SafetyChange.CASES: (was.n_cases, alert.n_cases),
        SafetyChange.FACILITIES: (was.n_facilities, len(alert.facilities)),
        SafetyChange.LOTS: (was.n_lots, len(alert.lots)),
        SafetyChange.PATIENTS: (
            was.patients_at_least,
            alert.patients.at_least if alert.patients else None,
        ),
    }[change]
    form = f"safety.change.{counted}"
    if before is None or now is None or before == now:
        return words.text(f"{form}_same", now=now)
    return words.text(form, before=before, now=now)


def end_in_words(alert: SafetyAlert, words: Catalogue) -> str:
    """Return why an alert ended, in a few words."""
    because = alert.ended_because or EndReason.SOURCE_WITHDRAWN
    state = words.find(f"safety.state.{alert.verification}") or ""
    before = alert.was.n_cases if alert.was else alert.n_cases
    return words.text(
        f"safety.reason.ended.{because}", state=state, before=before, now=alert.n_cases
    )
