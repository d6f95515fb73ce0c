"""Dependencies of the routes: files, secret, clock and limits of a server."""

import fcntl
import json
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Protocol

from schemas.decision import Assessment
from schemas.errors import StateError
from schemas.notice import Notice
from schemas.subscription import Tier
from streams.core.alerts.assessment import assessed
from streams.core.alerts.undecided import RevisionDay
from streams.core.safety.safety_record import SafetyRecord
from streams.delivery.alert_sources import AnyAlert, parse_alert
from streams.delivery.api.read_model import ReadModel
from streams.delivery.api.tokens import TokenStore
from streams.delivery.outbox import Outbox
from streams.delivery.sending.webhook_url import AllowedHosts
from streams.delivery.tiers import Copy
from streams.runtime.broker.topic_writer import TopicWriter, publish_notice
from streams.runtime.operations.audit_log import AuditLog
from streams.runtime.owner_only import owner_only_file
from streams.runtime.settings import Settings

__all__ = [
    "FileNotices",
    "KafkaNotices",
    "NoticeSink",
    "RecordedNotices",
    "Service",
    "ServiceHealth",
]

_LOG = logging.getLogger(__name__)


class NoticeSink(Protocol):
    """Destination of verification events."""

    def put(self, notice: Notice) -> None:
        """Store a notice durably before this returns."""
        ...


class FileNotices:
    """Notices in a file of JSON Lines, as `tocsin replay --notices` reads it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, notice: Notice) -> None:
        """Append a notice, synced to disk before this returns."""
        line = notice.model_dump_json(exclude_defaults=True).encode() + b"\n"
        owner_only_file(self._path)
        with self._path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


class KafkaNotices:
    """Notices on the topic `pv.notices`."""

    def __init__(self, writer: TopicWriter, settings: Settings) -> None:
        self._writer, self._settings = writer, settings
        self._lock = threading.Lock()  # the writer replaces its client after an error

    def put(self, notice: Notice) -> None:
        """Publish a notice, acknowledged before this returns."""
        with self._lock:
            publish_notice(self._writer, self._settings, notice)


class RecordedNotices:
    """Notices that are stored, and known at once to what reads a record of this process."""

    def __init__(self, sink: NoticeSink, record: SafetyRecord) -> None:
        self._sink, self._record = sink, record

    def put(self, notice: Notice) -> None:
        """Store a notice, then add it to the record."""
        self._sink.put(notice)
        self._record.add_notice(notice)


@dataclass(slots=True)
class ServiceHealth:
    """Health of the feed of alerts.

    Attributes
    ----------
    problem
        Reason why the responses are not up to date; None if they are.
    """

    problem: str | None = None


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Service:
    """Dependencies of the routes. Files are opened for each request.

    Attributes
    ----------
    key
        The installation's secret.
    token_rate, address_rate
        Rate limits, in the notation of the library `limits`.
    most_body
        Maximum body of a request [bytes].
    poll_seconds
        Time between two reads of an event stream [s].
    allowed_hosts
        Hosts of webhooks that the operator exempts.
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
    allowed_hosts: AllowedHosts = field(default_factory=AllowedHosts)
    now: Callable[[], datetime] = _now

    def outbox(self) -> Outbox:
        """Open the outbox."""
        return Outbox(self.outbox_path, key=self.key)

    def model(self) -> ReadModel:
        """Open the read model of signals and cases."""
        return ReadModel(self.model_path, key=self.key)

    def tokens(self) -> TokenStore:
        """Open the store of tokens."""
        return TokenStore(self.outbox_path)

    def assessor(self) -> Callable[[AnyAlert], AnyAlert]:
        """Return a function that adds the assessment of its signal to an alert.

        The function reads the log of decisions once, at the first alert. If the log is broken,
        alerts are returned without an assessment.
        """
        assessments = cache(self._assessments)
        today = self.now().date()

        def add(alert: AnyAlert) -> AnyAlert:
            known = assessments()
            return alert if known is None else assessed(alert, known, self._revisions, today=today)

        return add

    def with_assessments(self, tier: Tier, copies: Iterable[Copy]) -> Iterator[Copy]:
        """Yield copies of a tier, with the assessments for authorities."""
        if tier is not Tier.AUTHORITY:
            yield from copies
            return
        with_assessment = self.assessor()
        for copy in copies:
            alert = with_assessment(parse_alert(json.dumps(copy).encode(), "read model"))
            yield alert.model_dump(mode="json")

    def _revisions(self, signal_key: str) -> list[RevisionDay]:
        with self.model() as model:
            return [RevisionDay.of(one) for one in model.alerts_of(signal_key)]

    def _assessments(self) -> dict[str, Assessment] | None:
        try:
            return self.audit.assessments()
        except (StateError, OSError) as error:
            _LOG.error("alerts are served without assessments: %s", error)
            return None
