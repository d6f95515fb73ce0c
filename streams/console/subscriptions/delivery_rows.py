"""Rows of subscriptions: state in words, what waits and why, and the commands that change it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from schemas.subscription import Folder, OwnTopic, Stream, Subscription, Webhook
from streams.console.frame.rendering import Frame
from streams.console.subscriptions.command_lines import of_act
from streams.delivery.subscription_status import SubscriptionStatus

__all__ = ["DeliveryRow", "outbox_path_for", "row_of"]

_BY_US = {"paused by the subscriber": "subscriber", "paused by the operator": "operator"}


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A subscription as the tables show it.

    Attributes
    ----------
    state
        `active`, `retrying`, `holding` or `paused`.
    paused_by
        `subscriber` or `operator`, if one of them paused it; else empty.
    why
        Reason of the pause or last failure, in English; empty if there is none.
    next_attempt
        When it is tried again; None if nothing failed.
    rotates
        Whether it has a signing key to rotate.
    commands
        Command line by act.
    """

    subscription: Subscription
    state: str
    paused_by: str
    why: str
    waiting: int
    held: int
    delivered: int
    answer: str
    answered_at: datetime | None
    next_attempt: datetime | None
    rotates: bool
    commands: dict[str, str]

    @property
    def channel(self) -> str:
        """Return the kind of channel."""
        return self.subscription.goes_to.kind

    @property
    def address(self) -> str:
        """Return where messages go; empty for a stream."""
        channel = self.subscription.goes_to
        match channel:
            case Webhook():
                return channel.url
            case OwnTopic():
                return channel.topic
            case Folder():
                return channel.path
            case Stream():
                return ""


def row_of(status: SubscriptionStatus, outbox: Path) -> DeliveryRow:
    """Return the row of a subscription."""
    channel = status.subscription.goes_to
    answer = status.answer
    rotates = isinstance(channel, Webhook) and not channel.secrets
    acts = ["pause" if status.paused is None else "resume", "remove", "waiting"]
    return DeliveryRow(
        subscription=status.subscription,
        state=_state(status),
        paused_by=_BY_US.get(status.paused or "", ""),
        why=_why(status),
        waiting=status.waiting,
        held=status.held,
        delivered=status.delivered,
        answer="" if answer is None else answer.detail or answer.outcome,
        answered_at=None if answer is None else answer.at,
        next_attempt=status.next_attempt if status.paused is None else None,
        rotates=rotates,
        commands={
            act: of_act(act, status.subscription, outbox)
            for act in [*acts, *(["rotate"] if rotates else [])]
        },
    )


def outbox_path_for(frame: Frame) -> Path:
    """Return the outbox that commands name: where it is, on loopback; elsewhere its name alone."""
    path = frame.desk.service.outbox_path
    return path if frame.desk.gate is None else Path(path.name)


def _state(status: SubscriptionStatus) -> str:
    if status.paused is not None:
        return "paused"
    if status.failures:
        return "retrying"
    return "holding" if status.held and status.held == status.waiting else "active"


def _why(status: SubscriptionStatus) -> str:
    if status.paused is not None:
        return "" if status.paused in _BY_US else status.paused
    return status.answer.detail if status.failures and status.answer else ""
