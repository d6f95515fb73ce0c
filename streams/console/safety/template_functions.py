"""Functions that the templates of the safety pages call."""

from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import quote

from schemas.vocabulary import VerificationState
from streams.console.frame import formats
from streams.console.frame.rendering import Frame
from streams.console.safety.known_copies import day_of
from streams.delivery.tiers import Copy
from streams.figures.marks.verified_bar import state_key

__all__ = ["template_functions"]


def template_functions(frame: Frame) -> dict[str, Callable[..., Any]]:
    """Return the functions: marks of states, days as the tier knows them, parts of addresses."""

    def mark(state: VerificationState | str, name: str) -> str:
        return state_key(VerificationState(state), name=name)

    def month(day: date) -> str:
        return formats.month(day, frame.language)

    def when(copy: Copy) -> str:
        day = day_of(copy)
        return formats.day(day, frame.language) if "evaluated_on" in copy else month(day)

    def quoted(text: str) -> str:
        return quote(text, safe="")

    return {"mark": mark, "month": month, "when": when, "quoted": quoted}
