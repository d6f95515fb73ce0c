"""Topic definitions (partitions, retention), and their creation on a broker.

Nothing expires. The counts must be recomputable from the reports, the alerts must stay explainable
for as long as a product is monitored (decades), and a rejected message may be a report that
somebody had a legal duty to forward. An operator can shorten a retention on the broker;
`create_topics` then reports the difference.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType

from schemas.errors import BrokerError
from streams.runtime.broker.clients import make_admin
from streams.runtime.broker.errors import broker_errors
from streams.runtime.settings import Settings
from streams.runtime.wire.limits import MAX_MESSAGE_BYTES

__all__ = ["TOPICS", "Topic", "TopicMismatch", "TopicReport", "create_topics", "topic_name"]

KEPT_FOR_EVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
FROM_SENDERS = {
    **KEPT_FOR_EVER,
    # The broker decompresses every codec and refuses batches that are then too large. So any reader
    # can read them, and a small batch cannot fill the reader's memory.
    "compression.type": "uncompressed",
}
LATEST_PER_KEY = {
    "cleanup.policy": "compact",
    # A tombstone stays readable for a week, so a restore that takes days still sees it.
    "delete.retention.ms": str(7 * 24 * 3600 * 1000),
    # Compact when a fifth is stale, not half: restore time is proportional to what is left.
    "min.cleanable.dirty.ratio": "0.2",
}


@dataclass(frozen=True)
class Topic:
    """Definition of a topic.

    Attributes
    ----------
    name
        Without the prefix.
    key
        Description of a record's key; records with one key keep their order.
    holds
        Description of a record.
    config
        Required topic configuration.
    partitions
        Fixed number of partitions; None for as many as the settings say.
    """

    name: str
    key: str
    holds: str
    config: Mapping[str, str]
    partitions: int | None = None


TOPICS = (
    Topic("reports", "case id", "one version of one case, or a link to its master", FROM_SENDERS),
    Topic("notices", "subject id", "what is not a case", FROM_SENDERS),
    Topic("rejected", "source coordinates", "what could not be read", KEPT_FOR_EVER),
    # One partition: the detector stage needs one order over all input partitions.
    Topic("deltas", "input partition", "a batch of count changes", KEPT_FOR_EVER, partitions=1),
    # Its workers delete records superseded by a copy of their state; see `changelog`.
    Topic("cases", "input partition", "the case stage's state, for restore", KEPT_FOR_EVER),
    Topic("alerts", "signal key", "every revision of every alert", KEPT_FOR_EVER),
    Topic("priors", "nothing", "each prior of EBGM, from its day on", KEPT_FOR_EVER, partitions=1),
    Topic(
        "rules",
        "nothing",
        "the rules that signals are made with, from each change on",
        KEPT_FOR_EVER,
        partitions=1,
    ),
    # Outside the log that they prove: only those who decide may write, and nobody deletes.
    Topic(
        "audit",
        "nothing",
        "number and hash of each entry of the audit log",
        KEPT_FOR_EVER,
        partitions=1,
    ),
    Topic("signals", "signal key", "the current state of every signal", LATEST_PER_KEY),
)


@dataclass(frozen=True)
class TopicMismatch:
    """A property of an existing topic that differs from its definition."""

    topic: str
    property: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.property} must be {self.expected}; got {self.found}"


@dataclass(frozen=True)
class TopicReport:
    """Result of `create_topics`: created and existing topics, and mismatches."""

    created: tuple[str, ...]
    existing: tuple[str, ...]
    mismatched: tuple[TopicMismatch, ...]


def topic_name(settings: Settings, name: str) -> str:
    """Return a topic's name on the broker.

    >>> topic_name(Settings(topic_prefix="pv."), "deltas")
    'pv.deltas'
    """
    return f"{settings.topic_prefix}{name}"


def create_topics(settings: Settings) -> TopicReport:
    """Create missing topics; compare existing ones with their definitions, without changing them.

    Parameters
    ----------
    settings
        Prefix, number of partitions, replication factor, and how to reach the broker.

    Returns
    -------
    TopicReport
        Every topic is in `created` or `existing`; `mismatched` lists the differences of existing
        topics. Do not run the stages unless it is empty.

    Raises
    ------
    BrokerError
        If Kafka refused or is unreachable.
    """
    wanted = {topic_name(settings, topic.name): topic for topic in TOPICS}
    with (
        broker_errors("create the topics"),
        closing(make_admin(settings)) as admin,
    ):
        present = set(admin.list_topics())
        missing = {
            name: {
                "num_partitions": topic.partitions or settings.partitions,
                "replication_factor": settings.replication_factor,
                "configs": _config(settings, topic),
            }
            for name, topic in wanted.items()
            if name not in present
        }
        created = _create(admin, missing) if missing else ()
        existing = tuple(name for name in wanted if name not in created)
        described = {topic["name"]: topic for topic in admin.describe_topics(list(existing))}
        mismatched = tuple(
            mismatch
            for name in existing
            for mismatch in _compare(
                settings, name, wanted[name], described[name], _stored_config(admin, name)
            )
        )
    return TopicReport(created, existing, mismatched)


def _config(settings: Settings, topic: Topic) -> dict[str, str]:
    config = {**topic.config, "max.message.bytes": str(MAX_MESSAGE_BYTES)}
    if settings.replication_factor > 1:
        # With acks=all a write is acknowledged by two brokers; writes wait while fewer than two
        # replicas are in sync.
        config["min.insync.replicas"] = "2"
    return config


def _create(admin: Any, missing: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    answer = admin.create_topics(missing, raise_errors=False)
    created = []
    for topic in answer["topics"]:
        # 36, already exists: another process created it since we listed the topics.
        if topic["error_code"] not in (0, 36):
            msg = f"create the topics: {topic['name']}: {topic['error_message']}"
            raise BrokerError(msg)
        if topic["error_code"] == 0:
            created.append(topic["name"])
    admin.wait_for_topics(list(missing))
    return tuple(name for name in missing if name in created)


def _stored_config(admin: Any, name: str) -> dict[str, str]:
    resource = ConfigResource(ConfigResourceType.TOPIC, name)
    # 'all': by default kafka-python omits values that equal the broker's defaults.
    values = admin.describe_configs([resource], config_filter="all")["topic"][name]
    return {key: entry["value"] for key, entry in values.items()}


def _compare(
    settings: Settings,
    name: str,
    topic: Topic,
    described: Mapping[str, Any],
    stored: Mapping[str, str],
) -> Iterator[TopicMismatch]:
    partitions = described["partitions"]
    expected = topic.partitions or settings.partitions
    if len(partitions) != expected:
        yield TopicMismatch(name, "partitions", str(expected), str(len(partitions)))
    copies = min((len(partition["replica_nodes"]) for partition in partitions), default=0)
    if copies < settings.replication_factor:
        least = f"at least {settings.replication_factor}"
        yield TopicMismatch(name, "replication factor", least, str(copies))
    for key, value in _config(settings, topic).items():
        if stored.get(key) != value:
            yield TopicMismatch(name, key, value, str(stored.get(key)))
