"""Rules that the published signals were made with, compared with those of a detector."""

import hashlib
from collections.abc import Iterable
from datetime import date, timedelta
from importlib.metadata import version

from schemas.alert import Alert, SignalGrade
from schemas.rules_change import DetectorRules, PublishedRule, RulesChange
from schemas.strata import TEST_BY_AGE, TEST_BY_SEX, Strata
from streams.core.detection.detector import Detector

__all__ = ["difference_in_words", "rules_change", "rules_of", "rules_of_alerts"]

_EPOCH = date(1970, 1, 1)


def rules_of(detector: Detector) -> DetectorRules:
    """Return the rules of a new detector, before any prior is refitted or restored."""
    scorer = detector.scorer
    by = TEST_BY_SEX if detector.tests.by_sex else TEST_BY_AGE
    days = detector.refits.every
    every = None if days is None else f"every {days} days"
    return DetectorRules(
        rules_hash=scorer.rules.rules_hash,
        policy_hash=detector.policy.policy_hash,
        rules=tuple(
            PublishedRule(
                name=rule.name,
                grade=SignalGrade(rule.grade),
                sentence=rule.sentence,
                exit_sentence=rule.exit_sentence,
            )
            for rule in sorted(scorer.rules.rules, key=lambda rule: rule.name)
        ),
        windows=tuple(sorted(window.spec.text for window in detector.windows)),
        strata=Strata(age_bands=detector.codes.age_bands.upper_ends, test=by),
        prior=(every or scorer.prior_id) if scorer.needs_prior else None,
        prior_adjusted=(
            (every or scorer.adjusted_prior_id) if scorer.needs_adjusted_prior else None
        ),
    )


def rules_of_alerts(latest: Iterable[Alert]) -> DetectorRules | None:
    """Return the rules of the last evaluated alert, as far as it states them; None without one.

    For topics of a version that did not publish its rules.
    """
    last = max(latest, key=lambda alert: (alert.evaluated_on, alert.signal_key), default=None)
    if last is None:
        return None
    return DetectorRules(
        rules_hash=last.rules_hash,
        policy_hash=last.policy_hash,
        rules=tuple(
            PublishedRule(
                name=rule.name,
                grade=rule.grade,
                sentence=rule.sentence,
                exit_sentence=rule.exit_sentence,
            )
            for rule in sorted(last.rules, key=lambda rule: rule.name)
        ),
        strata=last.strata,
    )


def rules_change(
    previous: DetectorRules | None, now: DetectorRules, *, number: int, watermark: int
) -> RulesChange:
    """Return the record of a change, or of the first rules.

    Parameters
    ----------
    number
        Of the record on its topic.
    watermark
        Last day of receipt that is counted [days since 1970-01-01]; negative if none is.
    """
    before = previous or now
    names = _names(before, now)
    whole = f"{number}\n{previous.model_dump_json() if previous else ''}\n{now.model_dump_json()}"
    day = _EPOCH + timedelta(days=watermark) if watermark >= 0 else None
    on = f" after {day.isoformat()}" if day else ""
    if previous is None:
        sentence = "The rules that signals are made with, from the first report on."
    else:
        sentence = (
            f"The rules that signals are made with changed{on}: "
            f"{difference_in_words(previous, now)}. Signals published before are revised under the "
            "new rules when they are next evaluated."
        )
    return RulesChange(
        change_id=hashlib.sha256(whole.encode()).hexdigest(),
        number=number,
        sentence=sentence,
        changed_on=day,
        previous=previous,
        now=now,
        rules_added=names["rules_added"],
        rules_removed=names["rules_removed"],
        rules_changed=names["rules_changed"],
        windows_added=names["windows_added"],
        windows_removed=names["windows_removed"],
        settings_changed=_settings(before, now),
        code_version=version("tocsin"),
    )


def difference_in_words(published: DetectorRules, now: DetectorRules) -> str:
    """Return in one line what differs; empty if nothing does."""
    changed = _settings(published, now)
    names = _names(published, now)
    parts = [
        f"{field.replace('_', ' ')} {', '.join(found)}" for field, found in names.items() if found
    ]
    if "rules" in changed and not any(found for field, found in names.items() if "rules" in field):
        parts.append("a list that a rule names")
    others = {
        "policy": "the re-alert policy",
        "strata": "age bands or blocks of the strata",
        "prior": f"prior of EBGM {published.prior or 'none'} -> {now.prior or 'none'}",
        "prior_adjusted": "prior of EBGM within strata "
        f"{published.prior_adjusted or 'none'} -> {now.prior_adjusted or 'none'}",
    }
    return "; ".join(parts + [words for name, words in others.items() if name in changed])


def _settings(before: DetectorRules, now: DetectorRules) -> tuple[str, ...]:
    """Return the names of the settings that differ."""
    same = {
        "rules": before.rules_hash == now.rules_hash,
        "policy": before.policy_hash == now.policy_hash,
        "strata": before.strata is None or before.strata == now.strata,
    }
    if before.windows is not None:
        same["windows"] = before.windows == now.windows
        same["prior"] = before.prior == now.prior
        same["prior_adjusted"] = before.prior_adjusted == now.prior_adjusted
    return tuple(sorted(name for name, equal in same.items() if not equal))


def _names(before: DetectorRules, now: DetectorRules) -> dict[str, tuple[str, ...]]:
    """Return the names of rules and windows that were added, removed or changed."""
    differ = before.rules_hash != now.rules_hash  # else a version words a rule otherwise
    old, new = ({rule.name: rule for rule in side.rules if differ} for side in (before, now))
    windows = set(now.windows or ()) if before.windows is None else set(before.windows)
    return {
        "rules_added": tuple(sorted(new.keys() - old.keys())),
        "rules_removed": tuple(sorted(old.keys() - new.keys())),
        "rules_changed": tuple(
            sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
        ),
        "windows_added": tuple(sorted(set(now.windows or ()) - windows)),
        "windows_removed": tuple(sorted(windows - set(now.windows or ()))),
    }
