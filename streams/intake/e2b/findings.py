"""What a reader of one ICH E2B message notes: elements that break a rule, and unmapped values."""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from pydantic import ValidationError

from schemas.errors import RejectCode
from streams.intake.refusals import code_of, quoted

__all__ = ["MessageFindings"]

_MOST_SHOWN = 20  # problems of one message in its reject; more are counted
_MOST_UNMAPPED = 1_000  # different unmapped values of one message
_SHOWN = 20  # characters of an unmapped value

_Code = TypeVar("_Code", bound=StrEnum)


class MessageFindings:
    """Problems of one message, each with the element that has it, and values without a place.

    A message with a problem is rejected. An unmapped value is unknown in the report.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []  # the first ones
        self.elements: list[str] = []  # those of the problems
        self.n_problems = 0
        self.unmapped: Counter[str] = Counter()
        self.code = RejectCode.SCHEMA

    def refuse(self, element: str, rule: str, got: str | None) -> None:
        """Note that an element breaks a rule; `got` is its text, None if it has none."""
        shown = "nothing" if not got or not got.strip() else quoted(got.strip()[:_SHOWN])
        self._add(f"{element}: {rule}; got {shown}", element)

    def refuse_whole(self, reason: str, code: RejectCode) -> None:
        """Note why a message must not be read at all."""
        self.code = code
        self._add(reason)

    def refuse_model(self, error: ValidationError, elements: Mapping[str, str]) -> None:
        """Note each rule of a model that a message breaks, by the element of the field."""
        problems = error.errors(include_url=False, include_input=False)
        self.code = code_of(problems[0])
        for problem in problems:
            place = [str(part) for part in problem["loc"]]
            if code_of(problem) is RejectCode.DATES_OUT_OF_ORDER:
                place = ["latest_received"]
            named = (elements[part] for part in reversed(place) if part in elements)
            rule = problem["msg"].removeprefix("Value error, ")
            element = next(named, ".".join(place) or "report")
            self._add(f"{element}: {rule}", element)

    def _add(self, problem: str, element: str = "") -> None:
        self.n_problems += 1
        if len(self.problems) < _MOST_SHOWN:
            self.problems.append(problem)
            self.elements += [element] if element else []

    def mapped(self, element: str, codes: Mapping[str, _Code], text: str) -> _Code | None:
        """Return the meaning of a code; one that is not in the list is counted as unmapped."""
        text = text.strip()
        if text and text not in codes:
            self.skip(element, text)
        return codes.get(text)

    def skip(self, element: str, text: str) -> None:
        """Count a value that the report cannot carry."""
        shown = f"{element} {quoted(text.strip()[:_SHOWN])}"
        if shown in self.unmapped or len(self.unmapped) < _MOST_UNMAPPED:
            self.unmapped[shown] += 1
        else:
            self.unmapped[f"{element} (other values)"] += 1

    @property
    def reason(self) -> str:
        """Return the problems in one line."""
        shown = "; ".join(self.problems)
        more = self.n_problems - len(self.problems)
        return f"{shown} (and {more} more)" if more > 0 else shown
