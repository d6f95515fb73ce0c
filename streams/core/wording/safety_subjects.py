"""Texts of safety alerts on rumours, series, ongoing exposure, sport and overdue answers."""

from datetime import timedelta

from schemas.safety_alert import EndReason, SafetyAlert, SafetyChange, SubjectKind
from schemas.vocabulary import VerificationState
from streams.core.wording.catalogue import Catalogue
from streams.core.wording.safety_facts import (
    advisor,
    cases_left,
    changed_count,
    first_change,
    indication,
    is_again,
    is_ended,
    joined,
    places,
    product,
    professionals,
    role,
    statements,
    terms_in_words,
    titled,
    verdict,
)

__all__ = [
    "exposure_facts",
    "exposure_headline",
    "overdue_facts",
    "overdue_headline",
    "rumour_facts",
    "rumour_headline",
    "series_facts",
    "series_headline",
    "usage_facts",
    "usage_headline",
]


def rumour_headline(alert: SafetyAlert, words: Catalogue) -> str:
    """Return the headline of a rumour of deaths."""
    if is_ended(alert):
        return titled(alert, _rumour_end(alert, words), words)
    contested = alert.verification is VerificationState.CONTESTED
    form = "contested" if contested else "alleged"
    again = "_again" if is_again(alert) else ""
    return titled(alert, words.text(f"safety.rumour.{form}{again}"), words)


def _rumour_end(alert: SafetyAlert, words: Catalogue) -> str:
    if alert.ended_because is not EndReason.SETTLED:
        return words.text("safety.rumour.source_withdrawn")
    return words.text(f"safety.rumour.{alert.verification}", **_by_verdict(alert, words))


def _by_verdict(alert: SafetyAlert, words: Catalogue) -> dict[str, str]:
    """Return who gave the last verdict, and on which day."""
    last = verdict(alert)
    if last is None:
        return {"who": "", "day": ""}
    return {"who": role(last.by, words), "day": last.on.isoformat()}


def rumour_facts(alert: SafetyAlert, words: Catalogue) -> list[str]:
    """Return the facts of a rumour of deaths."""
    facts = [_notice(alert, words, "rumour"), places(alert, words)]
    if (n_sources := alert.n_sources or 0) > 1:
        facts.append(words.text("safety.sources", n=n_sources))
    known = [words.clauses(filter(None, facts)), statements(alert, words)]
    if is_ended(alert):
        known.append(words.text("safety.rumour_ends"))
        if alert.ended_because is EndReason.SETTLED and not _is_unconfirmed(alert):
            known.append(_followed(alert, words))
        return known
    if alert.verification is VerificationState.CONTESTED:
        state = "neither"
    else:
        state = "no_verdict" if alert.n_fatal else "no_report_confirms"
    return [*known, words.text(f"safety.{state}"), _followed(alert, words)]


def _is_unconfirmed(alert: SafetyAlert) -> bool:
    return alert.verification in (VerificationState.REFUTED, VerificationState.UNRESOLVABLE)


def _followed(alert: SafetyAlert, words: Catalogue) -> str:
    cases = alert.fatal_case_ids
    return words.count("safety.followed", len(cases), ids=joined(cases, words)) if cases else ""


def _notice(alert: SafetyAlert, words: Catalogue, form: str) -> str:
    day = "" if alert.first_day is None else alert.first_day.isoformat()
    return words.text(f"safety.notice.{form}", id=alert.subject, day=day)


def series_headline(alert: SafetyAlert, words: Catalogue) -> str:
    """Return the headline of a series of patients."""
    if is_ended(alert):
        return titled(alert, _series_end(alert, words), words)
    was = None if is_again(alert) else alert.was
    counted = {SafetyChange.CASES, SafetyChange.PATIENTS} & set(alert.changes)
    code = "again" if is_again(alert) else "new" if was is None or counted else "changed"
    what = words.text(
        f"safety.series.{code}",
        patients=_patients(alert, words),
        verified=_verified(alert.n_verified, None if was is None else was.n_verified, words),
        changes=first_change(alert, words) if code == "changed" else "",
    )
    return titled(alert, what, words)


def _series_end(alert: SafetyAlert, words: Catalogue) -> str:
    if alert.ended_because is EndReason.CASES_WITHDRAWN and alert.was is not None:
        gone = alert.was.n_cases - alert.n_cases
        left = cases_left(alert, words)
        return words.count("safety.series_ended.cases_withdrawn", gone, left=left)
    settled = alert.ended_because is EndReason.SETTLED
    code = "refuted" if settled else "source_withdrawn"
    return words.text(f"safety.series.{code}", **_by_verdict(alert, words))


def _patients(alert: SafetyAlert, words: Catalogue) -> str:
    stated = alert.patients
    if stated is None:
        return ""
    if stated.exact:
        text = words.text("safety.patients.exact", n=stated.at_least)
    elif stated.at_most is not None:
        text = words.text("safety.patients.between", n=stated.at_least, most=stated.at_most)
    else:
        text = words.text("safety.patients.at_least", n=stated.at_least)
    before = None if alert.was is None or is_again(alert) else alert.was.patients_at_least
    return changed_count(text, before, stated.at_least, words)


def _verified(now: int, before: int | None, words: Catalogue) -> str:
    if before is None or before == now:
        return words.text("safety.verified.some" if now else "safety.verified.none", n=now)
    if not now:
        return words.text("safety.verified.none_down", before=before)
    form = "up" if now > before else "down"
    return words.text(f"safety.verified.{form}", n=now, before=before)


def series_facts(alert: SafetyAlert, words: Catalogue) -> list[str]:
    """Return the facts of a series of patients."""
    known = [_notice(alert, words, "series"), places(alert, words)]
    if is_ended(alert):
        ends = words.text("safety.series_ends")
        return [words.clauses(filter(None, known)), statements(alert, words), ends]
    return [
        words.clauses(filter(None, [*known, _state(alert, words)])),
        statements(alert, words),
        professionals(alert, words),
        words.text("safety.within_series"),
        *indication(alert, words),
    ]


def _state(alert: SafetyAlert, words: Catalogue) -> str:
    return words.find(f"safety.state.{alert.verification}") or ""


def exposure_headline(alert: SafetyAlert, words: Catalogue) -> str:
    """Return the headline of an ongoing exposure."""
    if is_ended(alert):
        code: str = alert.ended_because or EndReason.SOURCE_WITHDRAWN
        return words.text(f"safety.exposure.{code}", product=product(alert, words))
    code = "again" if is_again(alert) else "new"
    if alert.advised_by is None:
        return words.text(f"safety.exposure.{code}", product=product(alert, words))
    code = "again_advised" if is_again(alert) else "advised"
    who = advisor(alert.advised_by, words)
    return words.text(f"safety.exposure.{code}", product=product(alert, words), who=who)


def exposure_facts(alert: SafetyAlert, words: Catalogue) -> list[str]:
    """Return the facts of an ongoing exposure."""
    form = "series" if alert.subject_kind is SubjectKind.SERIES else "rumour"
    terms = terms_in_words(alert, words) if alert.terms else ""
    known = [_notice(alert, words, form), places(alert, words), terms, _state(alert, words)]
    if is_ended(alert):
        return [words.clauses(filter(None, known[:3]))]
    facts = [words.clauses(filter(None, known)), statements(alert, words)]
    return [*facts, *indication(alert, words)]


def usage_headline(alert: SafetyAlert, words: Catalogue) -> str:
    """Return the headline of a use in sport."""
    person = words.text("safety.usage.maybe_athlete")
    if alert.athlete_stated:
        person = words.text("safety.usage.athlete")
    if is_ended(alert):
        code: str = alert.ended_because or EndReason.SOURCE_WITHDRAWN
        return words.text(f"safety.usage.{code}", product=product(alert, words), person=person)
    volume, limit = alert.volume_ml or 0.0, alert.limit_ml or 0.0
    return words.text(
        "safety.usage.again" if is_again(alert) else "safety.usage.new",
        product=product(alert, words),
        person=person,
        volume=_millilitres(volume, limit),
        hours=f"{alert.within_hours or 0:g}",
        limit=words.text(
            "safety.usage.above" if volume > limit else "safety.usage.within", limit=f"{limit:,g}"
        ),
    )


def _millilitres(volume: float, limit: float) -> str:
    """Return a volume [mL], with as many digits as its side of the limit takes."""
    short = f"{volume:,g}"
    return short if short != f"{limit:,g}" or volume == limit else f"{volume:,.15g}"


def usage_facts(alert: SafetyAlert, words: Catalogue) -> list[str]:
    """Return the facts of a use in sport: what failed or is open."""
    criteria = [words.find(f"safety.criterion.{flag}") for flag in alert.flags]
    told = [] if is_ended(alert) else [words.clauses(filter(None, criteria))]
    return [*told, words.text("safety.usage_end")]


def overdue_headline(alert: SafetyAlert, words: Catalogue) -> str:
    """Return the headline of an overdue answer."""
    if is_ended(alert):
        day = "" if alert.ended_on is None else alert.ended_on.isoformat()
        code = alert.ended_because or EndReason.ANSWERED
        return words.text(f"safety.overdue.{code}", subject=alert.subject, day=day)
    due = alert.due_since
    return words.text(
        "safety.overdue.again" if is_again(alert) else "safety.overdue.new",
        subject=alert.subject,
        since="" if due is None else (due + timedelta(days=1)).isoformat(),
        due="" if due is None else due.isoformat(),
    )


def overdue_facts(alert: SafetyAlert, words: Catalogue) -> list[str]:
    """Return the facts of an overdue answer."""
    title = words.text(
        "safety.after", terms=terms_in_words(alert, words), product=product(alert, words)
    )
    if is_ended(alert):
        return [
            words.clauses(filter(None, [title, places(alert, words)])),
            words.text("safety.request_ends"),
        ]
    known = [title, places(alert, words), _state(alert, words)]
    return [words.clauses(filter(None, known))]
