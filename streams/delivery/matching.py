"""Which subscription an alert is for."""

from collections import Counter
from collections.abc import Iterable

from schemas.alert import Alert, SignalLevel
from schemas.domain import domain_vocabulary
from schemas.errors import InputError
from schemas.priority import PriorityLevel
from schemas.subscription import SDR, Subscription, Tier
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.tiers import is_hidden

__all__ = ["PREVIEW_DAYS", "category_of", "matches", "require_askable", "would_send"]

PREVIEW_DAYS = 90


def category_of(alert: AnyAlert) -> str:
    """Return the category of an alert; that of a disproportionality is `SDR`."""
    return SDR if isinstance(alert, Alert) else alert.category.value


def matches(subscription: Subscription, alert: AnyAlert, *, sent_before: bool) -> bool:
    """Whether an alert is for a subscription.

    Parameters
    ----------
    sent_before
        Whether an earlier revision of its signal was for it. Then every later one is, whatever the
        filters say now: who was told is told the correction.
    """
    if is_hidden(subscription.tier, alert):
        return False
    if sent_before:
        return True
    wanted = subscription.filters
    vocabulary = domain_vocabulary()
    countries: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    terms: tuple[str, ...]
    windows: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    if isinstance(alert, Alert):
        product_class = vocabulary.product_class(alert.drug)
        countries = alert.countries or ()
        if alert.context is not None:
            product_class = alert.context.product_class
        products, terms = (alert.drug,), (alert.event,)
        rules, windows, levels = alert.rules_fired, (alert.window.label,), (alert.level.value,)
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
        and _passes(wanted.jurisdictions, countries, silent=True)
        and _passes(wanted.classes, classes)
        and _passes(wanted.products, products)
        and _passes(wanted.terms, terms)
        and _passes(wanted.families, families)
        and _passes(wanted.levels, levels, silent=True)
        and _passes(wanted.rules, rules, silent=not isinstance(alert, Alert))
        and _passes(wanted.windows, windows, silent=True)
        and (alert.urgent or not wanted.urgent_only)
        and (alert.urgent or _is_as_high(alert, wanted.min_priority))
    )


def require_askable(subscription: Subscription) -> None:
    """Raise `InputError` if what a filter lets through would tell more than the tier may know.

    Rules differ in the number of cases they need: who is sent what `ema` flags and `mhra` does not
    would know that there are three or four.
    """
    if subscription.tier is not Tier.PUBLIC:
        return
    for name in ("rules", "min_priority"):
        if getattr(subscription.filters, name):
            msg = f"subscription: the public tier may not ask by {name}: it gives small counts away"
            raise InputError(msg)


_PRIORITIES = tuple(PriorityLevel)  # the highest first


def _is_as_high(alert: AnyAlert, least: PriorityLevel | None) -> bool:
    if least is None or not isinstance(alert, Alert) or alert.priority is None:
        return True
    return _PRIORITIES.index(alert.priority.level) <= _PRIORITIES.index(least)


def _passes(wanted: Iterable[str], found: Iterable[str], *, silent: bool = False) -> bool:
    names = {name.casefold() for name in wanted}
    if not names:
        return True
    has = {name.casefold() for name in found}
    return bool(names & has) or (silent and not has)


def would_send(wanted: Subscription, alerts: Iterable[AnyAlert]) -> Counter[tuple[str, str]]:
    """Count the alerts that are for a subscription, by category and kind.

    Parameters
    ----------
    alerts
        Those of the last `PREVIEW_DAYS` days, in order.
    """
    found: Counter[tuple[str, str]] = Counter()
    told: set[str] = set()
    for alert in alerts:
        if matches(wanted, alert, sent_before=alert.signal_key in told):
            told.add(alert.signal_key)
            found[category_of(alert), alert.kind.value] += 1
    return found
