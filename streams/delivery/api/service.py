"""What the routes work with: files, secrets, clocks and limits, made once for a server."""

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from schemas.decision import Assessment
from schemas.errors import StateError
from schemas.notice import Notice
from schemas.subscription import Tier
from streams.core.alerts.assessment import assessed
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.api.read_model import ReadModel
from streams.delivery.api.tokens import TokenStore
from streams.delivery.outbox import Outbox
from streams.delivery.tiers import copy_for
from streams.runtime.broker.topic_writer import TopicWriter, publish_notice
from streams.runtime.operations.audit_log import AuditLog
from streams.runtime.settings import Settings

__all__ = ["FileNotices", "KafkaNotices", "NoticeSink", "Service", "ServiceHealth"]

_LOG = logging.getLogger(__name__)


class NoticeSink(Protocol):
    """Where verification events go."""

    def put(self, notice: Notice) -> None:
        """Keep a notice; when this returns, it is kept."""
        ...


class FileNotices:
    """A file of JSON lines, as `tocsin replay --notices` reads it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, notice: Notice) -> None:
        """Append it, on disk before this returns."""
        line = notice.model_dump_json(exclude_defaults=True).encode() + b"\n"
        with self._path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


class KafkaNotices:
    """The topic `pv.notices`."""

    def __init__(self, writer: TopicWriter, settings: Settings) -> None:
        self._writer, self._settings = writer, settings
        self._one_at_a_time = threading.Lock()  # it drops its client after an error

    def put(self, notice: Notice) -> None:
        """Publish it; it is acknowledged when this returns."""
        with self._one_at_a_time:
            publish_notice(self._writer, self._settings, notice)


@dataclass(slots=True)
class ServiceHealth:
    """How the reading of alerts stands.

    Attributes
    ----------
    trouble
        What keeps it from being up to date; None if nothing does.
    """

    trouble: str | None = None


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Service:
    """Where the routes find what they need. Files are opened for each request.

    Attributes
    ----------
    key
        The installation's secret.
    token_rate, address_rate
        Most requests, in the notation of the library `limits`.
    most_body
        Longest body of a request [bytes].
    poll_seconds
        Time between two looks for what is new on a stream.
    """

    outbox_path: Path
    model_path: Path
    key: bytes
    audit: AuditLog
    notices: NoticeSink | None
    health: ServiceHealth = field(default_factory=ServiceHealth)
    token_rate: str = "120/minute"
    address_rate: str = "600/minute"
    most_body: int = 64 * 1024
    poll_seconds: float = 1.0
    now: Callable[[], datetime] = _now

    def outbox(self) -> Outbox:
        """Open what is due to subscribers."""
        return Outbox(self.outbox_path, key=self.key)

    def model(self) -> ReadModel:
        """Open what is known of signals and cases."""
        return ReadModel(self.model_path, key=self.key)

    def tokens(self) -> TokenStore:
        """Open the tokens."""
        return TokenStore(self.outbox_path)

    def assessor(self) -> Callable[[AnyAlert], AnyAlert]:
        """Return what adds to alerts where the assessment of their signals stands.

        It reads the log of decisions once, for the first alert. One that is broken keeps no alert
        from anybody: they come without.
        """
        standing = cache(self._standing)

        def add(alert: AnyAlert) -> AnyAlert:
            known = standing()
            return alert if known is None else assessed(alert, known)

        return add

    def copies(self, tier: Tier, alerts: Iterable[AnyAlert]) -> list[dict[str, Any]]:
        """Return what a tier may see of alerts; an authority, where their assessment stands too."""
        told = map(self.assessor(), alerts) if tier is Tier.AUTHORITY else alerts
        return [copy_for(tier, alert, key=self.key) for alert in told]

    def _standing(self) -> dict[str, Assessment] | None:
        try:
            return self.audit.assessments()
        except (StateError, OSError) as error:
            _LOG.error("alerts are given out without their assessment: %s", error)
            return None
