"""Who wants which alerts, how much of them they may see, and where they go."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Message

__all__ = ["SDR", "Filters", "Subscription", "Tier"]

SDR = "SDR"
"""Category of the alerts of `schemas.alert`: signals of disproportionate reporting."""

_Code = Annotated[str, Field(min_length=1, max_length=500)]


class Tier(StrEnum):
    """How much of an alert a subscriber may see; each tier sees what those before it see."""

    PUBLIC = "public"
    CONSUMER = "consumer"
    AUTHORITY = "authority"


class Filters(Message):
    """Which alerts; an empty list asks for all, and an alert must pass every one of them.

    An alert that does not say what a filter asks for, such as the country of a count, passes it:
    silence must not be mistaken for absence.
    """

    categories: tuple[_Code, ...] = Field(
        default=(), description="`SDR`, or categories of safety alerts."
    )
    kinds: tuple[_Code, ...] = Field(
        default=(),
        description="Such as `new`. Of a signal once sent, every later revision is sent as well.",
    )
    jurisdictions: tuple[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], ...] = Field(
        default=(), description="ISO 3166-1 alpha-2."
    )
    classes: tuple[_Code, ...] = Field(
        default=(), description="Product classes; a class stands for those under it."
    )
    products: tuple[_Code, ...] = Field(default=(), description="Drugs, as counted.")
    terms: tuple[_Code, ...] = Field(default=(), description="Reactions, as terms.")
    families: tuple[_Code, ...] = Field(default=(), description="Hazard families.")
    levels: tuple[_Code, ...] = Field(
        default=(),
        description="What a signal is of: `product`, `class`, `lot`, `facility`, `family`.",
    )
    rules: tuple[_Code, ...] = Field(default=(), description="Rules of which one fires.")
    windows: tuple[_Code, ...] = Field(default=(), description="Labels, such as `cumulative`.")
    urgent_only: bool = Field(default=False, description="Only what goes past every digest.")


class Subscription(Message):
    """One subscription, with a webhook as its channel.

    Secrets are named, not held: each is the name of an environment variable that has it.
    """

    schema_version: Literal["1.0"] = Field(
        default="1.0", description="Version of this schema; additive within a major number."
    )
    subscription_id: str = Field(
        pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Its name, chosen by who makes it."
    )
    subscriber: str = Field(min_length=1, max_length=200, description="Who receives.")
    tier: Tier = Field(description="How much they may see.")
    filters: Filters = Field(default=Filters(), description="Which alerts.")
    url: str = Field(
        pattern=r"^https?://[^\s]+$", max_length=2000, description="Where the webhook posts to."
    )
    secrets: tuple[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")], ...] = Field(
        min_length=1,
        max_length=2,
        description="Environment variables with the signing keys; two during a rotation.",
    )
