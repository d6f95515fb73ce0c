"""Write single messages to topics, each acknowledged before the next: alerts, notices."""

from collections.abc import Mapping
from typing import Any

from kafka import errors

from schemas.errors import BrokerError, InputError
from schemas.notice import Notice
from streams.runtime.broker.clients import make_producer
from streams.runtime.broker.errors import one_line
from streams.runtime.broker.topics import TOPICS, topic_name
from streams.runtime.broker.transactions import DELIVERY_MS, discard
from streams.runtime.settings import Settings

__all__ = ["TopicWriter", "publish_notice"]


class TopicWriter:
    """Idempotent writer to the topics of subscribers: a retry writes no duplicate.

    Parameters
    ----------
    settings
        Connection settings; the first message connects.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ours = {topic_name(settings, topic.name) for topic in TOPICS}
        self._producer: Any = None

    def close(self) -> None:
        """Disconnect."""
        if self._producer is not None:
            discard(self._producer)
            self._producer = None

    def require_foreign(self, topic: str) -> None:
        """Raise `InputError` if a topic is one of Tocsin's own, or of Kafka's."""
        if topic in self._ours or topic.startswith("__"):
            msg = f"topic: must be one of the subscriber's; got {topic!r}, which has other readers"
            raise InputError(msg)

    def write(
        self, topic: str, key: str, value: bytes, headers: Mapping[str, bytes] | None = None
    ) -> None:
        """Write one record and wait until it is acknowledged.

        Raises
        ------
        BrokerError
            If it was not, or the outcome is unknown; then it may be written again.
        InputError
            If it is too large.
        """
        if self._producer is None:
            self._producer = make_producer(self._settings)
        try:
            future = self._producer.send(
                topic, value, key.encode(), headers=list((headers or {}).items())
            )
            future.get(timeout=DELIVERY_MS / 1000)
        except errors.MessageSizeTooLargeError:
            msg = f"{topic}: a message must fit in a record; got {len(value)} bytes"
            raise InputError(msg) from None
        except errors.KafkaError as error:
            self.close()  # it may be broken; the next message creates another
            raise BrokerError(one_line(f"write to {topic}", error)) from error


def publish_notice(writer: TopicWriter, settings: Settings, notice: Notice) -> None:
    """Publish a notice on `pv.notices`; return once it is acknowledged.

    Raises
    ------
    BrokerError
        If it was not acknowledged; it may be published again, since repeats count once.
    """
    value = notice.model_dump_json(exclude_defaults=True).encode()
    writer.write(topic_name(settings, "notices"), notice.subject_id, value)
