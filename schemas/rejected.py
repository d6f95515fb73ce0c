"""What could not be read: the original bytes, the reason, and where they came from."""

from pydantic import ConfigDict, Field

from schemas.base import Message

__all__ = ["Rejected"]


class Rejected(Message):
    """One message or row that could not be read. It never stops a run and is never lost."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    source: str = Field(description="File, archive member, or `topic[partition]`.")
    position: int = Field(ge=0, description="Line number from 1 in a file; offset in a topic.")
    reason: str = Field(description="The rule that was broken and what was got, in one line.")
    raw: bytes = Field(description="The original bytes, whole; base64 in JSON.")
