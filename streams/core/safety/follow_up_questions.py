"""Follow-up questions on single serious cases of a hazard family, before they form a cluster."""

import tomllib
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from functools import lru_cache
from importlib.resources import files

from pydantic import Field

from schemas.base import Message
from schemas.domain import domain_vocabulary
from schemas.watch_item import WatchItem
from streams.core.cases.domain_case import DomainCase

__all__ = ["watch_items"]


class _Rule(Message):
    event_family: str = Field(min_length=1)
    why: str = Field(min_length=1)
    ask: tuple[str, ...]


def watch_items(
    cases: Iterable[DomainCase], clustered: Collection[str], day: date
) -> Iterator[WatchItem]:
    """Yield the follow-up questions of each case.

    Parameters
    ----------
    cases
        The current domain cases.
    clustered
        Cases of a cluster alert: they need no question any more.
    day
        Event-time day.
    """
    family = domain_vocabulary().family
    for case in sorted(cases, key=lambda case: case.case_id):
        families = {family(term) for term in case.terms}
        for rule in _rules():
            if case.serious and rule.event_family in families and case.case_id not in clustered:
                stated = {*case.stated, *(["lot"] if case.lots else [])}
                yield WatchItem(
                    case_id=case.case_id,
                    product_class=case.product_class,
                    terms=tuple(case.terms),
                    known_on=day,
                    why=rule.why,
                    ask=tuple(name for name in rule.ask if name not in stated),
                )


@lru_cache(maxsize=1)
def _rules() -> tuple[_Rule, ...]:
    text = (
        files("streams.core.safety")
        .joinpath("follow_up_questions.toml")
        .read_text(encoding="utf-8")
    )
    return tuple(_Rule.model_validate(rule, strict=False) for rule in tomllib.loads(text)["items"])
