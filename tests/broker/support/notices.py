"""Notices on their topic, and the safety alerts that a detector publishes of them."""

from collections.abc import Sequence
from contextlib import closing
from datetime import date, timedelta

from schemas.notice import Notice, NoticeKind
from schemas.safety_alert import SafetyAlert
from streams.runtime.broker.clients import make_producer
from streams.runtime.settings import Settings
from streams.runtime.wire.alerts import decode_alert
from tests.broker.support.processes import records
from tests.broker.support.stages import at_work, detector
from tests.support.cloud_events import read_event

DAY = date(2024, 3, 1)


def notice(number: int, subject: str = "RUM", **fields: object) -> Notice:
    """Return a notice of a rumoured death in Japan, received so many days after `DAY`."""
    values = {"kind": NoticeKind.SAFETY_NOTICE, "fatal": True, "source": "society", "country": "JP"}
    values |= {"received": DAY + timedelta(days=number)}
    return Notice(notice_id=f"{subject}-{number}", subject_id=subject, **(values | fields))


def line(notice: Notice) -> bytes:
    """Return a notice as JSON of another sender."""
    return notice.model_dump_json(exclude_defaults=True).encode()


def send_notices(settings: Settings, values: Sequence[bytes | None], partition: int = 0) -> None:
    """Publish values on the topic of notices without validation, like another sender."""
    with closing(make_producer(settings)) as producer:
        topic = f"{settings.topic_prefix}notices"
        sent = [producer.send(topic, value, b"any", partition=partition) for value in values]
        producer.flush()
        for future in sent:
            future.get(timeout=0)


def safety_alerts(settings: Settings) -> list[SafetyAlert]:
    """Return the safety alerts on their topic, each an event that another library reads."""
    found = []
    for record in records(settings, "alerts"):
        attributes, _ = read_event(record.headers, record.key, record.value)
        if isinstance(alert := decode_alert(record.value), SafetyAlert):
            said = f"tocsin.safety.{alert.category.lower()}.{alert.kind}", alert.alert_id
            assert (attributes["type"], attributes["id"]) == said
            found.append(alert)
    return found


def run_detector(settings: Settings) -> None:
    """Run a detector until it has consumed everything."""
    with at_work(settings, detector(settings)):
        pass
