"""A single case that is worth a question, and is nothing to alert of yet."""

from datetime import date

from pydantic import Field

from schemas.base import Message

__all__ = ["WatchItem"]


class WatchItem(Message):
    """What to ask about one case, on the day it became known: work for somebody, and no alert."""

    case_id: str = Field(description="The case.")
    product_class: str = Field(description="Class of its product.")
    terms: tuple[str, ...] = Field(description="Its reactions, as terms.")
    known_on: date = Field(description="Event-time day it was listed on.")
    why: str = Field(description="Why it is worth a question, in words.")
    ask: tuple[str, ...] = Field(
        description="What the report does not say and should be asked for; none if all is known."
    )
