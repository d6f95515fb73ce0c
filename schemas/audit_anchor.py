"""Anchor of an audit log: number and hash of an entry, kept outside the log."""

from typing import Literal

from pydantic import AwareDatetime, Field

from schemas.base import Message

__all__ = ["AuditAnchor"]


class AuditAnchor(Message):
    """Number and hash of an entry of the audit log; it covers every entry before it."""

    schema_version: Literal["1.0"] = Field(
        default="1.0", description="Version of this schema; additive within a major number."
    )
    number: int = Field(ge=1, description="Number of entries in the log, up to this one.")
    hash: str = Field(pattern=r"^[0-9a-f]{64}$", description="Hash of this entry, SHA-256.")
    at: AwareDatetime = Field(description="When the entry was logged, in UTC.")
