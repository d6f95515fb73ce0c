"""Subscription to alerts: tier, filters, channel, digest and daily budget."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.alert_reason import SignalGrade
from schemas.base import Message
from schemas.priority import PriorityLevel
from schemas.vocabulary import Country

__all__ = [
    "SDR",
    "Channel",
    "DigestPeriod",
    "Filters",
    "Folder",
    "OwnTopic",
    "Stream",
    "Subscription",
    "Tier",
    "Webhook",
]

SDR = "SDR"
"""Category of the alerts of `schemas.alert`: signals of disproportionate reporting."""

_Code = Annotated[str, Field(min_length=1, max_length=500)]


class Tier(StrEnum):
    """Disclosure tier of a subscriber; each tier includes the fields of the tiers before it."""

    PUBLIC = "public"
    CONSUMER = "consumer"
    AUTHORITY = "authority"


class Filters(Message):
    """Filters on alerts; an empty list selects all, and an alert must pass every filter.

    They read the copy for the tier. A copy without the filtered attribute, such as a country,
    passes: missing is not absent.
    """

    categories: tuple[_Code, ...] = Field(
        default=(), description="`SDR`, or categories of safety alerts."
    )
    kinds: tuple[_Code, ...] = Field(
        default=(),
        description="Such as `new`. Of a signal once sent, every later revision is sent as well.",
    )
    jurisdictions: tuple[Country, ...] = Field(default=(), description="ISO 3166-1 alpha-2.")
    classes: tuple[_Code, ...] = Field(
        default=(), description="Product classes; a class includes those under it."
    )
    products: tuple[_Code, ...] = Field(default=(), description="Drugs, in any spelling.")
    terms: tuple[_Code, ...] = Field(default=(), description="Reactions, as terms in any spelling.")
    families: tuple[_Code, ...] = Field(default=(), description="Hazard families.")
    levels: tuple[_Code, ...] = Field(
        default=(),
        description="Aggregation level: `product`, `class`, `lot`, `facility`, `family`.",
    )
    grades: tuple[SignalGrade, ...] = Field(
        default=(SignalGrade.ALARM,),
        description="Grades of signals: alarms, unless the screening is asked for as well. Of a "
        "signal once sent, every later revision is sent, of either grade; safety alerts have none "
        "and pass. The public receives alarms.",
    )
    rules: tuple[_Code, ...] = Field(default=(), description="Rules, at least one of which fires.")
    windows: tuple[_Code, ...] = Field(default=(), description="Labels, such as `cumulative`.")
    urgent_only: bool = Field(
        default=False, description="Only urgent alerts, which bypass every digest."
    )
    min_priority: PriorityLevel | None = Field(
        default=None,
        description="Only signals of this priority level or a higher one. What is urgent, and what "
        "has no priority, passes. Not for the public.",
    )

    @classmethod
    def asked(
        cls,
        *,
        urgent_only: bool = False,
        min_priority: PriorityLevel | None = None,
        grades: Iterable[SignalGrade] | None = None,
        **lists: Iterable[str] | None,
    ) -> Self:
        """Build filters from repeatable options; one not given selects all, or only alarms."""
        named: dict[str, object] = {name: tuple(values or ()) for name, values in lists.items()}
        if grades is not None:
            named["grades"] = tuple(grades)
        return cls.model_validate(
            named | {"urgent_only": urgent_only, "min_priority": min_priority}
        )


_Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2000)]
_Secrets = Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")], ...], Field()]


class DigestPeriod(StrEnum):
    """Period of a digest: by clock time, at midnight UTC."""

    DAILY = "daily"
    WEEKLY = "weekly"  # on Mondays


class Webhook(Message):
    """Webhook: each alert is posted to a URL, signed."""

    kind: Literal["webhook"] = Field(default="webhook", description="Tells the channels apart.")
    url: _Url = Field(description="URL to post to.")
    secrets: _Secrets = Field(
        default=(),
        max_length=2,
        description="Environment variables with the signing keys, two during a rotation; none: "
        "the keys are derived from the installation's secret.",
    )
    generations: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(1,),
        min_length=1,
        max_length=2,
        description="Of derived keys, the newest first; two during a rotation.",
    )
    key_salt: str = Field(
        default="",
        pattern=r"^[0-9a-f]*$",
        max_length=64,
        description="Of derived keys: random, so that a name that is used again has other keys.",
    )


class OwnTopic(Message):
    """Kafka topic: each alert is written to it, keyed by signal key."""

    kind: Literal["topic"] = Field(default="topic", description="Tells the channels apart.")
    topic: str = Field(
        pattern=r"^[A-Za-z0-9._-]{1,249}$", description="Its whole name; it must exist."
    )


class Stream(Message):
    """Server-sent events: alerts are fetched from the HTTP API."""

    kind: Literal["stream"] = Field(default="stream", description="Tells the channels apart.")


class Folder(Message):
    """Folder: each message becomes a JSON file and a Markdown file."""

    kind: Literal["folder"] = Field(default="folder", description="Tells the channels apart.")
    path: str = Field(min_length=1, max_length=1000, description="Folder; made if missing.")


Channel = Webhook | OwnTopic | Stream | Folder


class Subscription(Message):
    """One subscription: name, tier, filters and channel.

    Secrets are not stored: each entry is the name of an environment variable.
    """

    schema_version: Literal["1.0"] = Field(
        default="1.0", description="Version of this schema; additive within a major number."
    )
    subscription_id: str = Field(
        pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Its name, chosen by who makes it."
    )
    subscriber: str = Field(min_length=1, max_length=200, description="Who receives.")
    tier: Tier = Field(description="Disclosure tier of the subscriber.")
    filters: Filters = Field(default=Filters(), description="Which alerts.")
    channel: Channel | None = Field(
        default=None, description="Channel of the alerts; null: the webhook of `url` and `secrets`."
    )
    url: _Url | None = Field(
        default=None, description="A webhook, in the form before there was `channel`."
    )
    secrets: _Secrets = Field(
        default=(), max_length=2, description="The names of its keys, in that form."
    )
    digest: DigestPeriod | None = Field(
        default=None,
        description="One message with what came in the period; urgent alerts do not wait for it. "
        "Null: each alert by itself.",
    )
    budget_per_day: int | None = Field(
        default=None,
        ge=1,
        description="Most alerts a day (UTC) to this subscriber; the others wait for a report "
        "after midnight. Urgent alerts have a budget of their own; corrections of what was sent "
        "never wait. Null: no limit.",
    )
    urgent_per_day: int = Field(
        default=100,
        ge=1,
        description="Most urgent alerts a day (UTC) to this subscription; one message reports that "
        "there are more, and the others wait for the next digest.",
    )

    @model_validator(mode="after")
    def _one_channel(self) -> Self:
        if (self.channel is None) != (self.url is not None) or (self.channel and self.secrets):
            msg = "there must be a channel, or a url with the secrets of a webhook, and not both"
            raise ValueError(msg)
        if self.url is not None and not self.secrets:
            msg = "secrets must name an environment variable with a signing key"
            raise ValueError(msg)
        if self.digest is not None and self.budget_per_day is not None:
            msg = "budget_per_day has nothing to hold back where there is a digest; leave one out"
            raise ValueError(msg)
        return self

    @property
    def goes_to(self) -> Webhook | OwnTopic | Stream | Folder:
        """Return the channel, from `channel` or from `url` and `secrets`."""
        if self.channel is not None:
            return self.channel
        return Webhook(url=self.url or "", secrets=self.secrets)
