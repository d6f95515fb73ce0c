"""Keeps what the API answers from up to date: alerts and reports, as they come."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import islice

from schemas.errors import IcsrError, TocsinError
from schemas.link import CaseLink
from streams.delivery.alert_sources import Tail, parse_alert
from streams.delivery.api.read_model import ReadModel
from streams.delivery.api.service import Service
from streams.delivery.outbox import Outbox
from streams.intake.native import decode_message

__all__ = ["feed_once", "feeding"]

_LOG = logging.getLogger(__name__)
_IDLE_SECONDS = 1.0
_RETRY_SECONDS = 5.0
_BATCH = 1_000

Stores = tuple[Outbox, ReadModel]
OpenTail = Callable[[Callable[[str], int]], Tail]
"""Opens a source, given how to find the place that was reached in it."""


@contextmanager
def feeding(
    service: Service, open_alerts: OpenTail, open_reports: OpenTail | None
) -> Iterator[None]:
    """Feed in a thread of its own for as long as the body runs.

    What cannot be read stops it, is logged and shown by the health, and tried again: an alert that
    was passed over would be missing from every answer.
    """
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            try:
                _follow(service, open_alerts, open_reports, stop)
            except (TocsinError, OSError) as error:
                service.health.trouble = str(error)
                _LOG.error("alerts cannot be read: %s", error)
                stop.wait(_RETRY_SECONDS)
            except Exception:
                service.health.trouble = "a defect"
                _LOG.exception("defect: alerts cannot be read")
                stop.wait(_RETRY_SECONDS)

    thread = threading.Thread(target=run, name="tocsin-feed", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def feed_once(service: Service, alerts: Tail, reports: Tail | None, stores: Stores) -> int:
    """Take in what there is by now; return how many messages.

    What is due to subscribers says where the assessment of its signal stands as it is taken in.
    """
    outbox, model = stores
    with_assessment = service.assessor()
    taken = 0
    for source, position, raw in alerts.read():
        alert = parse_alert(raw, alerts.where(source, position))
        model.put(alert, source=source, position=position)
        told = with_assessment(alert)
        outbox.put(told, source=source, position=position, now=service.now())
        taken += 1
    entries = reports.read() if reports else iter(())
    while batch := list(islice(entries, _BATCH)):
        with model.batch():
            for source, position, raw in batch:
                _put_report(model, source, position, raw)
        taken += len(batch)
    return taken


def _put_report(model: ReadModel, source: str, position: int, raw: bytes) -> None:
    try:
        report = decode_message(raw)
    except IcsrError:  # it is among the rejects, and in no alert
        report = None
    if report is None or isinstance(report, CaseLink):
        model.skip(source=source, position=position)
    else:
        model.put_report(report, source=source, position=position)


def _follow(
    service: Service,
    open_alerts: OpenTail,
    open_reports: OpenTail | None,
    stop: threading.Event,
) -> None:
    with ExitStack() as opened:
        outbox = opened.enter_context(service.outbox())
        model = opened.enter_context(service.model())

        def reached_by_both(source: str) -> int:
            return min(outbox.place(source), model.place(source))

        alerts = opened.enter_context(closing(open_alerts(reached_by_both)))
        reports = open_reports and opened.enter_context(closing(open_reports(model.place)))
        while not stop.is_set():
            taken = feed_once(service, alerts, reports or None, (outbox, model))
            service.health.trouble = None
            if not taken:
                stop.wait(_IDLE_SECONDS)
