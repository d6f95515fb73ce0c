"""Words of a row: why it changed, the parts of its priority, whose duty, and who verified."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import log

from schemas.vocabulary import SupplyRoute, VerificationState
from streams.console.frame.formats import MINUS, logarithm
from streams.console.frame.texts import Texts
from streams.core.alerts.priority import freshness_factor
from streams.core.safety.reporting_duties import law_table
from streams.core.wording.catalogue import catalogue
from streams.core.wording.names import country, rule_name
from streams.delivery.tiers import Copy
from streams.figures.marks.priority_bar import PriorityPart
from streams.figures.marks.verified_bar import StateCount

__all__ = [
    "RuleBox",
    "StatedPart",
    "bar_of",
    "duty_words",
    "priority_parts",
    "rule_boxes",
    "state_counts",
    "why_changed",
]

_PARTS = ("evidence", "seriousness", "newness", "freshness", "grade", "explained")
_SAID_BY_NUMBERS = {"more_cases", "ic_rose"}
_MOST_COUNTRIES = 2  # that a cell names; the signal page has all


@dataclass(frozen=True, slots=True)
class StatedPart:
    """A part of a priority: its name in words, and what it multiplies or adds."""

    name: str
    label: str
    value: float
    is_factor: bool


@dataclass(frozen=True, slots=True)
class RuleBox:
    """A rule as a box: a short form, its name, and whether it is on."""

    short: str
    name: str
    is_on: bool


def why_changed(copy: Copy, before: Copy | None, t: Texts) -> list[str]:
    """Return why a row is new to its reader: numbers first, then the main reason in words."""
    if "category" in copy:
        changes = [str(change) for change in copy.get("changes", ())]
        return [t(f"worklist.safety_{change}") for change in changes[:1]]
    reasons = [str(reason) for reason in copy.get("reasons", ())]
    found = [] if before is None else _numbers(copy, before, t)
    if reasons and not (found and reasons[0] in _SAID_BY_NUMBERS):
        found.append(t(f"worklist.reason_{reasons[0]}"))
    return found


def _numbers(copy: Copy, before: Copy, t: Texts) -> list[str]:
    if "counts" not in copy:
        return []
    found = []
    more = copy["counts"]["n_observed"] - before["counts"]["n_observed"]
    if more:
        sign = "+" if more > 0 else MINUS
        found.append(t("worklist.more_cases", n=abs(more), sign=sign))
    now, then = copy["statistics"]["ic_lower"], before["statistics"]["ic_lower"]
    if now is not None and then is not None:
        difference = logarithm(now - then)
        if difference != "0.00":
            sign = "" if difference.startswith(MINUS) else "+"
            found.append(f"IC025 {sign}{difference}")
    return found


def priority_parts(copy: Copy, day: date, t: Texts) -> list[StatedPart]:
    """Return the stated parts of a priority on a day; only freshness differs from the alert's.

    The priority of a safety alert is a weighted sum, that of a signal a product.
    """
    priority = copy.get("priority")
    if priority is None:
        return []
    stated = {name: value for name, value in priority["parts"].items() if value is not None}
    found = []
    for name, value in stated.items():
        label = t(f"worklist.part_{name}") if name in _PARTS else name.replace("_", " ")
        if factors := priority.get("factors"):
            known_on = copy.get("first_alarm_on") or copy.get("first_alert_on")
            factor = factors[name]
            if name == "freshness" and known_on:
                factor = freshness_factor(date.fromisoformat(known_on), day)
            found.append(StatedPart(name, label, factor, is_factor=True))
        else:
            found.append(StatedPart(name, label, value * priority["weights"].get(name, 0), False))
    return found


def bar_of(parts: Sequence[StatedPart], total: float) -> list[PriorityPart]:
    """Return the parts as pieces of a bar as long as the total.

    Of a product, what multiplies by more than 1 shares the length by its logarithm: what multiplies
    by less has no piece, and stands in the words.
    """
    if not any(part.is_factor for part in parts):
        return [PriorityPart(part.label, part.value) for part in parts]
    raises = {part.label: log(part.value) for part in parts if part.value > 1}
    whole = sum(raises.values())
    if not whole:
        return [PriorityPart("", total)]
    return [PriorityPart(label, total * share / whole) for label, share in raises.items()]


def rule_boxes(rules: Iterable[Copy], t: Texts) -> list[RuleBox]:
    """Return a box for each rule of the set; short forms are unique within it."""
    words = catalogue(t.language)
    named = [(rule_name(rule["name"], rule.get("title", ""), words), rule) for rule in rules]
    shorts = _short_forms(tuple(name for name, _ in named))
    return [
        RuleBox(short, name, bool(rule["fired"]))
        for short, (name, rule) in zip(shorts, named, strict=True)
    ]


@lru_cache
def _short_forms(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the shortest beginnings that tell names apart, in capitals.

    >>> _short_forms(("MHRA", "EMA", "IC025", "sequential test"))
    ('M', 'E', 'I', 'S')
    >>> _short_forms(("MHRA", "MHRA-EB"))
    ('M1', 'M2')
    """
    firsts = [name[:1].upper() for name in names]
    found = []
    for place, first in enumerate(firsts):
        nth = firsts[: place + 1].count(first)
        found.append(first if firsts.count(first) == 1 else f"{first}{nth}")
    return tuple(found)


def duty_words(copy: Copy, t: Texts) -> str:
    """Return whose duty it is to report, by country; the signal page has the law lines.

    Without a product of the domain or a country, it is not known.
    """
    context = copy.get("context") or {}
    product_class = context.get("product_class") or copy.get("product_class")
    places = [str(each["name"]) for each in context.get("countries", ())]
    places = places or [str(place) for place in copy.get("countries") or ()]
    if not product_class or not places:
        return t("worklist.duty_unknown")
    routes = [str(each["name"]) for each in context.get("supply_routes", ())]
    route = SupplyRoute(routes[0]) if len(routes) == 1 else SupplyRoute.UNKNOWN
    day = date.fromisoformat(copy.get("evaluated_on") or f"{copy['evaluated_in']}-01")
    words = catalogue(t.language)
    told = [
        t(
            "worklist.duty_of",
            place=country(place, words),
            duty=t(_duty(place, product_class, route, day)),
        )
        for place in places[:_MOST_COUNTRIES]
    ]
    if len(places) > _MOST_COUNTRIES:
        told.append(t("worklist.duty_more", n=len(places) - _MOST_COUNTRIES))
    return words.listed(told)


@lru_cache(maxsize=10_000)
def _duty(place: str, product_class: str, route: SupplyRoute, day: date) -> str:
    frames = law_table().frames_for(place, product_class, route, day)
    duties = {frame.duty for frame in frames}
    if len(duties) != 1:
        return "worklist.duty_unknown"
    return "worklist.duty_holder" if duties.pop() else "worklist.duty_none"


def state_counts(copy: Copy) -> list[StateCount]:
    """Return the cases or patients of a row by verification state."""
    state = copy.get("verification")
    if state is not None:
        patients = copy.get("patients") or {}
        n = patients.get("at_least") or copy.get("n_cases") or 1
        return [StateCount(VerificationState(state), n)]
    counts = copy.get("counts")
    n = counts["n_observed"] if counts else copy.get("n_cases", 0)
    by_professional = copy.get("n_by_professional") or 0
    return [
        StateCount(VerificationState.HCP_CONFIRMED, by_professional),
        StateCount(None, n - by_professional),
    ]
