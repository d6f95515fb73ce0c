"""Rejected message: the original bytes, the reason, and the source position."""

from pydantic import ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from schemas.base import Message
from schemas.errors import RejectCode

__all__ = ["LONGEST_BEGINNING", "LONGEST_KEY", "Rejected"]

LONGEST_KEY = 800
"""Longest key that can be a case id [bytes]: at most 200 characters of at most 4 bytes."""

LONGEST_BEGINNING = 4_096
"""Bytes kept of a line that is longer than its reader reads: enough to find the case in it."""


class Rejected(Message):
    """One message or row that could not be read. It never stops a run and is never lost."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    source: str = Field(description="File, archive member, or `topic[partition]`.")
    position: int = Field(ge=0, description="Line number from 1 in a file; offset in a topic.")
    reason: str = Field(description="The rule that was broken and what was got, in one line.")
    raw: bytes = Field(
        description="The original bytes, base64 in JSON: whole, but of a line over the limit of "
        "its reader, 1 MiB, the first 4,096. An XML message is as parsed, without attachments."
    )
    key: bytes | None = Field(
        default=None,
        max_length=LONGEST_KEY,
        description="Key it was published with; null if it had none or one that is no case id.",
    )
    first: str | None = Field(
        default=None,
        description="Where it was rejected first, as `source@position`, if it was redriven since.",
    )
    attempts: int = Field(default=0, ge=0, description="How often it was redriven before this.")
    code: SkipJsonSchema[RejectCode | None] = Field(
        default=None,
        exclude=True,
        description="Why, for metrics and the log; it is not stored, so null once it is read back.",
    )
