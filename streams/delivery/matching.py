"""Matching of the copies of a tier to subscriptions, by filters."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from math import prod

from schemas.alert import SignalGrade, SignalLevel
from schemas.domain import domain_vocabulary
from schemas.errors import InputError
from schemas.normal_form import normal_drug, normal_term
from schemas.priority import PriorityLevel
from schemas.safety_alert import SafetyAlertKind
from schemas.subscription import SDR, Filters, Subscription, Tier
from streams.core.alerts.priority import freshness_factor, level_thresholds
from streams.delivery.tiers import Copy

__all__ = [
    "PREVIEW_DAYS",
    "Fading",
    "category_of",
    "fading_of",
    "is_on",
    "matches",
    "matching",
    "passes",
    "rank_of",
    "rank_on",
    "require_askable",
    "would_send",
]

Fading = tuple[float, str, float, float, bool]
"""Score without freshness, day since when a signal is known, least totals of the levels `high` and
`medium`, and whether one sender made it on one day."""

PREVIEW_DAYS = 90
"""Days of alerts that a preview of a subscription covers."""
_ENDED = {SafetyAlertKind.CLOSED, SafetyAlertKind.RETRACTION}


def category_of(copy: Copy) -> str:
    """Return the category of a copy; a signal of disproportionate reporting has `SDR`."""
    return str(copy.get("category", SDR))


def is_on(copy: Copy) -> bool:
    """Return whether the signal of a copy is on, as far as the copy says."""
    if "category" in copy:
        return copy["kind"] not in _ENDED
    return bool(copy["fires"] if "fires" in copy else copy["rules_fired"])


def matches(subscription: Subscription, copy: Copy, *, sent_before: bool) -> bool:
    """Return whether a copy for the tier of a subscription is for the subscription.

    Parameters
    ----------
    sent_before
        Whether an earlier revision of its signal was for the subscription. Then every later one is,
        whatever the filters: a subscriber that received a signal receives its corrections.
    """
    return sent_before or passes(subscription.filters, copy)


def passes(wanted: Filters, copy: Copy) -> bool:
    """Return whether a copy passes every filter.

    Filters read the copy of the tier that asks: an answer reveals nothing that the copy withholds.
    What a copy does not state passes.
    """
    vocabulary = domain_vocabulary()
    context = copy.get("context") or {}
    is_signal = "category" not in copy
    # The public's copy of a safety alert withholds the terms.
    withheld = copy.get("tier") == Tier.PUBLIC and not is_signal
    product_class = copy.get("product_class") or context.get("product_class")
    products: tuple[str, ...] = ()
    terms = tuple(copy.get("terms", ()))
    families = list(copy.get("families", ())) if withheld else []
    windows: tuple[str, ...] = ()
    if is_signal:
        product_class = product_class or vocabulary.product_class(copy["drug"])
        products, terms = (copy["drug"],), (copy["event"],)
        window = copy["window"]
        windows = (window if isinstance(window, str) else window["label"],)
        if copy["level"] == SignalLevel.FAMILY:
            families.append(copy["event"].removeprefix("family:"))
    classes = vocabulary.classes_of(product_class) if product_class else ()
    families += [family for term in terms if (family := vocabulary.family(term))]
    rules = copy.get("rules_fired", ())
    return (
        _passes(wanted.categories, (category_of(copy),))
        and _passes(wanted.kinds, (copy["kind"],))
        and _passes(wanted.jurisdictions, copy.get("countries") or (), unstated=True)
        and _passes(wanted.classes, classes)
        and _passes(wanted.products, products, form=normal_drug)
        and _passes(wanted.terms, terms, form=normal_term, unstated=withheld)
        and _passes(wanted.families, families, unstated=withheld)
        and _passes(wanted.levels, _stated(copy, "level"), unstated=True)
        and _passes(wanted.grades, _stated(copy, "grade"), unstated=True)
        and _passes(wanted.rules, rules, unstated="rules_fired" not in copy)
        and _passes(wanted.windows, windows, unstated=True)
        and (copy["urgent"] or not wanted.urgent_only)
        and (copy["urgent"] or _reaches(copy, wanted.min_priority))
    )


def _stated(copy: Copy, name: str) -> tuple[str, ...]:
    return (copy[name],) if name in copy else ()


def require_askable(
    tier: Tier, asked: Filters, *, grades: tuple[SignalGrade, ...] = (SignalGrade.ALARM,)
) -> None:
    """Refuse filters whose matches would reveal more than the tier may see.

    Rules differ in the number of cases that they need: a subscriber that receives an alert for
    `ema` and not for `mhra` would know that the signal has three or four. So do the rules of the
    two grades.

    Parameters
    ----------
    grades
        The filter of who does not ask by grade.

    Raises
    ------
    InputError
        If the public asks by rule, grade or priority.
    """
    if tier is not Tier.PUBLIC:
        return
    usual = Filters(grades=grades)
    for name in ("rules", "grades", "min_priority"):
        if getattr(asked, name) != getattr(usual, name):
            msg = f"subscription: the public tier may not ask by {name}: it reveals small counts"
            raise InputError(msg)


_LEVELS = tuple(PriorityLevel)  # the highest first


def rank_of(copy: Copy) -> float:
    """Return the place of a copy in the order of priority: by level, then by total.

    The highest priority has the lowest rank; a copy without a priority comes last.
    """
    priority = copy.get("priority")
    if priority is None:
        return float(len(_LEVELS))
    return _rank(PriorityLevel(priority["level"]), float(priority["total"]))


def fading_of(copy: Copy) -> Fading | None:
    """Return what the rank of a copy on a later day follows from; None if it does not fade."""
    priority = copy.get("priority")
    known_on = copy.get("first_alarm_on") or copy.get("first_alert_on")
    factors = priority and priority.get("factors")
    if not priority or not factors or not known_on or priority["parts"].get("freshness") is None:
        return None
    least = priority["thresholds"] or level_thresholds(())
    rest = prod(factor for name, factor in factors.items() if name != "freshness")
    return rest, str(known_on), least["high"], least["medium"], bool(priority["burst_only"])


def rank_on(fading: Fading, day: date) -> float:
    """Return the rank on a day, as `streams.core.alerts.priority.priority_on` has it."""
    rest, known_on, high, medium, burst_only = fading
    score = rest * freshness_factor(date.fromisoformat(known_on), day)
    total = score / (1 + score)
    level = PriorityLevel.LOW
    if total >= medium and total > 0 and not burst_only:
        level = PriorityLevel.HIGH if total >= high else PriorityLevel.MEDIUM
    return _rank(level, total)


def _rank(level: PriorityLevel, total: float) -> float:
    return _LEVELS.index(level) + (1 - total) / 2


def _reaches(copy: Copy, least: PriorityLevel | None) -> bool:
    priority = copy.get("priority")
    if least is None or priority is None:
        return True
    return _LEVELS.index(PriorityLevel(priority["level"])) <= _LEVELS.index(least)


def _passes(
    wanted: Iterable[str],
    found: Iterable[str],
    *,
    unstated: bool = False,
    form: Callable[[str], str] = str.casefold,
) -> bool:
    names = set(map(form, wanted))
    if not names:
        return True
    has = set(map(form, found))
    return bool(names & has) or (unstated and not has)


def would_send(wanted: Subscription, copies: Iterable[Copy]) -> Counter[tuple[str, str]]:
    """Count the copies that match a subscription, by category and kind.

    Parameters
    ----------
    copies
        Copies for its tier of the alerts of the last `PREVIEW_DAYS` days, in order.
    """
    return Counter((category_of(copy), copy["kind"]) for copy in matching(wanted, copies))


def matching(wanted: Subscription, copies: Iterable[Copy]) -> Iterator[Copy]:
    """Yield the copies that match a subscription, of those for its tier, in order."""
    sent: set[str] = set()
    for copy in copies:
        if matches(wanted, copy, sent_before=copy["signal_key"] in sent):
            sent.add(copy["signal_key"])
            yield copy
