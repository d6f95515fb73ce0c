"""Follow-up item: a single serious case with open questions and no alert yet."""

from datetime import date

from pydantic import Field

from schemas.base import Message

__all__ = ["WatchItem"]


class WatchItem(Message):
    """Follow-up questions on one case, on the day it became known; not an alert."""

    case_id: str = Field(description="The case.")
    product_class: str = Field(description="Class of its product.")
    terms: tuple[str, ...] = Field(description="Its reactions, as terms.")
    known_on: date = Field(description="Event-time day it was listed on.")
    why: str = Field(description="Why it needs follow-up, in words.")
    ask: tuple[str, ...] = Field(
        description="Information missing from the report, to be requested; empty if all is known."
    )
