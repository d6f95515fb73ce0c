"""Matching of alerts to subscriptions, by tier and filters."""

from collections import Counter
from collections.abc import Callable, Iterable

from schemas.alert import Alert, SignalGrade, SignalLevel
from schemas.domain import domain_vocabulary
from schemas.errors import InputError
from schemas.normal_form import normal_drug, normal_term
from schemas.priority import Priority, PriorityLevel
from schemas.subscription import SDR, Filters, Subscription, Tier
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.tiers import is_correction_only, is_hidden

__all__ = [
    "PREVIEW_DAYS",
    "category_of",
    "matches",
    "passes",
    "rank_of",
    "require_askable",
    "would_send",
]

PREVIEW_DAYS = 90
"""Days of alerts that a preview of a subscription covers."""


def category_of(alert: AnyAlert) -> str:
    """Return the category of an alert; a signal of disproportionate reporting has `SDR`."""
    return SDR if isinstance(alert, Alert) else alert.category.value


def matches(subscription: Subscription, alert: AnyAlert, *, sent_before: bool) -> bool:
    """Return whether an alert is for a subscription.

    Parameters
    ----------
    sent_before
        Whether an earlier revision of its signal was for the subscription. Then every later one is,
        whatever the filters: a subscriber that received a signal receives its corrections.
    """
    if is_hidden(subscription.tier, alert):
        return False
    if sent_before:
        return True
    return not is_correction_only(subscription.tier, alert) and passes(subscription.filters, alert)


def passes(wanted: Filters, alert: AnyAlert) -> bool:
    """Return whether an alert passes every filter."""
    vocabulary = domain_vocabulary()
    countries: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    terms: tuple[str, ...]
    windows: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    grades: tuple[str, ...] = ()
    if isinstance(alert, Alert):
        product_class = vocabulary.product_class(alert.drug)
        countries = alert.countries or ()
        if alert.context is not None:
            product_class = alert.context.product_class
        products, terms = (alert.drug,), (alert.event,)
        rules, windows, levels = alert.rules_fired, (alert.window.label,), (alert.level.value,)
        grades = (alert.grade.value,)
    else:
        product_class = alert.product_class
        countries, terms = alert.countries, alert.terms
    classes = vocabulary.classes_of(product_class) if product_class else ()
    families = [family for term in terms if (family := vocabulary.family(term))]
    if isinstance(alert, Alert) and alert.level is SignalLevel.FAMILY:
        families.append(alert.event.removeprefix("family:"))
    return (
        _passes(wanted.categories, (category_of(alert),))
        and _passes(wanted.kinds, (alert.kind.value,))
        and _passes(wanted.jurisdictions, countries, unstated=True)
        and _passes(wanted.classes, classes)
        and _passes(wanted.products, products, form=normal_drug)
        and _passes(wanted.terms, terms, form=normal_term)
        and _passes(wanted.families, families)
        and _passes(wanted.levels, levels, unstated=True)
        and _passes(wanted.grades, grades, unstated=True)
        and _passes(wanted.rules, rules, unstated=not isinstance(alert, Alert))
        and _passes(wanted.windows, windows, unstated=True)
        and (alert.urgent or not wanted.urgent_only)
        and (alert.urgent or _reaches(alert, wanted.min_priority))
    )


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


def rank_of(alert: AnyAlert) -> float:
    """Return the place of an alert in the order of priority: by level, then by total.

    The highest priority has the lowest rank; an alert without a priority comes last.
    """
    priority = _priority(alert)
    if priority is None:
        return float(len(_LEVELS))
    return _LEVELS.index(priority.level) + (1 - priority.total) / 2


def _reaches(alert: AnyAlert, least: PriorityLevel | None) -> bool:
    priority = _priority(alert)
    if least is None or priority is None:
        return True
    return _LEVELS.index(priority.level) <= _LEVELS.index(least)


def _priority(alert: AnyAlert) -> Priority | None:
    found: Priority | None = getattr(alert, "priority", None)
    return found


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


def would_send(wanted: Subscription, alerts: Iterable[AnyAlert]) -> Counter[tuple[str, str]]:
    """Count the alerts that match a subscription, by category and kind.

    Parameters
    ----------
    alerts
        Alerts of the last `PREVIEW_DAYS` days, in order.
    """
    found: Counter[tuple[str, str]] = Counter()
    sent: set[str] = set()
    for alert in alerts:
        if matches(wanted, alert, sent_before=alert.signal_key in sent):
            sent.add(alert.signal_key)
            found[category_of(alert), alert.kind.value] += 1
    return found
