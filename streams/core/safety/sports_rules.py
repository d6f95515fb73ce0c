"""Anti-doping rules on infusions, from `usage.toml`: the volume limit and the two criteria.

Unknown facts do not fail a criterion: each is met, failed, or open.
"""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files

from pydantic import Field, TypeAdapter, ValidationError

from schemas.base import Message
from schemas.domain import domain_vocabulary
from schemas.errors import InputError
from schemas.notice import Usage

__all__ = [
    "Criterion",
    "UsageFinding",
    "UsageRules",
    "check_usage",
    "read_usage_rules",
    "usage_rules",
]


class Criterion(StrEnum):
    """Answer of a criterion."""

    MET = "met"
    FAILED = "failed"
    OPEN = "open"  # a fact that it needs is not known


class VolumeRule(Message):
    """More than so much in so many hours, by these routes, is a prohibited method."""

    more_than_ml: float = Field(gt=0, description="Limit, in mL; the limit itself is allowed.")
    within_hours: float = Field(gt=0, description="Hours over which volumes add up.")
    routes: tuple[str, ...] = Field(min_length=1, description="Routes it holds for, as codes.")
    exceptions: tuple[str, ...] = Field(description="Settings it does not hold in.")
    source: str = Field(min_length=1, description="Where this was read.")


class LegitimacyRule(Message):
    """A record with these items, and an approved drug within its indication."""

    record_items: tuple[str, ...] = Field(min_length=1, description="Fields of `Usage`.")
    approval_items: tuple[str, ...] = Field(min_length=1, description="Fields of `Usage`.")
    source: str = Field(min_length=1, description="Where this was read.")


class UsageRules(Message):
    """The rules of one version."""

    version: str = Field(min_length=1, description="Of the data; stands in every alert.")
    volume: VolumeRule = Field(description="The volume limit.")
    legitimacy: LegitimacyRule = Field(description="The two criteria.")


@dataclass(frozen=True, slots=True)
class UsageFinding:
    """Result of the rules for one person.

    Attributes
    ----------
    volume_ml
        Largest volume given within the rule's hours, by the rule's routes [mL].
    above_limit
        Whether that is above the limit outside an excepted setting; `OPEN` if it is above only with
        administrations of unknown setting.
    reasons
        Codes of what failed or is open, in a fixed order.
    """

    person: str
    volume_ml: float
    above_limit: Criterion
    record: Criterion
    approval: Criterion
    reasons: tuple[str, ...]

    @property
    def to_report(self) -> bool:
        """Return whether the result needs an investigation."""
        return Criterion.FAILED in (self.above_limit, self.record, self.approval) or (
            self.above_limit is Criterion.OPEN
        )


def check_usage(given: Iterable[tuple[date, Usage]], rules: UsageRules) -> list[UsageFinding]:
    """Check the infusions of athletes, by person.

    Volumes of one person add up within a day, since notices state days and no hours; of an infusion
    that runs for longer than the rule's hours, its share of them counts.

    Parameters
    ----------
    given
        Day and administration; persons known not to be athletes are skipped.
    rules
        Limits and criteria.
    """
    by_person: dict[str, list[tuple[date, Usage]]] = {}
    for day, usage in given:
        if usage.athlete is not False:
            by_person.setdefault(usage.person, []).append((usage.given_on or day, usage))
    return [_check_person(person, dated, rules) for person, dated in sorted(by_person.items())]


def _check_person(
    person: str, dated: Sequence[tuple[date, Usage]], rules: UsageRules
) -> UsageFinding:
    usages = [usage for _, usage in dated]
    plain = _most_in_window(dated, rules.volume, with_unknown=False)
    most = _most_in_window(dated, rules.volume, with_unknown=True)
    limit = rules.volume.more_than_ml
    if plain > limit:
        above = Criterion.FAILED
    elif most > limit:
        above = Criterion.OPEN
    else:
        above = Criterion.MET
    record = _all_hold(usages, rules.legitimacy.record_items)
    approval = _all_hold(usages, rules.legitimacy.approval_items)
    reasons = [
        f"{name}_{answer}"
        for name, answer in (("volume", above), ("record", record), ("approval", approval))
        if answer is not Criterion.MET
    ]
    return UsageFinding(person, most, above, record, approval, tuple(reasons))


def _most_in_window(
    dated: Sequence[tuple[date, Usage]], rule: VolumeRule, *, with_unknown: bool
) -> float:
    """Return the largest volume of a day, in mL."""
    by_day: dict[date, float] = {}
    for day, usage in dated:
        route = domain_vocabulary().route(usage.route)
        counts = route in rule.routes and usage.setting not in rule.exceptions
        if not counts or usage.volume_ml is None or (usage.setting is None and not with_unknown):
            continue
        share = min(1.0, rule.within_hours / usage.hours) if usage.hours else 1.0
        by_day[day] = by_day.get(day, 0.0) + usage.volume_ml * share
    return max(by_day.values(), default=0.0)


def _all_hold(usages: Sequence[Usage], items: Sequence[str]) -> Criterion:
    answers = {getattr(usage, item) for usage in usages for item in items}
    if False in answers:
        return Criterion.FAILED
    return Criterion.OPEN if None in answers else Criterion.MET


@lru_cache(maxsize=1)
def usage_rules() -> UsageRules:
    """Return the rules that are shipped."""
    return read_usage_rules(files("streams.core.safety").joinpath("usage.toml").read_text("utf-8"))


def read_usage_rules(text: str) -> UsageRules:
    """Read rules from TOML.

    Raises
    ------
    InputError
        If it is no TOML, or a rule asks for what a usage does not hold.
    """
    try:
        rules = TypeAdapter(UsageRules).validate_python(tomllib.loads(text), strict=False)
    except tomllib.TOMLDecodeError as error:
        msg = f"usage rules: must be TOML; got {error}"
        raise InputError(msg) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        msg = f"usage rules: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise InputError(msg) from error
    for item in (*rules.legitimacy.record_items, *rules.legitimacy.approval_items):
        if item not in Usage.model_fields:
            msg = f"usage rules: items must be fields of a usage; got {item!r}"
            raise InputError(msg)
    return rules
