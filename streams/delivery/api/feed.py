"""Background thread that feeds alerts and reports into the read model and the outbox."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import islice

from schemas.errors import IcsrError, TocsinError
from schemas.link import CaseLink
from schemas.release import ReleaseMarker
from schemas.rules_change import RulesChange
from streams.delivery.alert_sources import Tail, parse_published
from streams.delivery.api.read_model import ReadModel
from streams.delivery.api.service import Service
from streams.delivery.outbox import Outbox
from streams.intake.native import decode_message

__all__ = ["feed_once", "feeding"]

_LOG = logging.getLogger(__name__)
_IDLE_SECONDS = 1.0  # s between reads while there is nothing new
_RETRY_SECONDS = 5.0  # s before the sources are opened again after an error
_BATCH = 1_000  # reports per transaction
_SLOW_SECONDS = 0.05  # s; a transaction takes a few ms, most of them for the disk
_MOST_YIELD_SECONDS = 0.5  # s; SQLite asks for a lock again after at most 0.1 s

Stores = tuple[Outbox, ReadModel]
OpenTail = Callable[[Callable[[str], int]], Tail]
"""Opens a source, given a function that returns the next position to read in it."""


@contextmanager
def feeding(
    service: Service, open_alerts: OpenTail, open_reports: OpenTail | None
) -> Iterator[None]:
    """Feed the service in a background thread while the body runs.

    An alert that cannot be read blocks the feed: the error is logged once, the health check reports
    it, and the read is retried. If the alert were skipped, every response would lack it.
    """
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            try:
                _run_feed(service, open_alerts, open_reports, stop)
            except (TocsinError, OSError) as error:
                if service.health.problem != str(error):  # an error that persists is logged once
                    _LOG.error("reading alerts failed: %s", error)
                service.health.problem = str(error)
                stop.wait(_RETRY_SECONDS)
            except Exception:
                service.health.problem = "a defect"
                _LOG.exception("defect: reading alerts failed")
                stop.wait(_RETRY_SECONDS)

    thread = threading.Thread(target=run, name="tocsin-feed", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def feed_once(service: Service, alerts: Tail, reports: Tail | None, stores: Stores) -> int:
    """Store the messages up to the current end of the sources; return their number.

    Alerts in the outbox carry the assessment of their signal at this time.
    """
    outbox, model = stores
    with_assessment = service.assessor()
    number = 0
    for source, position, raw in alerts.read():
        number += 1
        alert = parse_published(raw, alerts.where(source, position))
        if isinstance(alert, RulesChange):
            model.skip(source=source, position=position)
            outbox.put_rules_change(alert, source=source, position=position)
            continue
        model.put(alert, source=source, position=position)
        assessed = with_assessment(alert)
        began = time.monotonic()
        outbox.put(assessed, source=source, position=position, now=service.now())
        _yield_lock(time.monotonic() - began)
    entries = reports.read() if reports else iter(())
    while batch := list(islice(entries, _BATCH)):
        with model.batch():
            for source, position, raw in batch:
                _put_report(model, source, position, raw)
        number += len(batch)
    return number


def _yield_lock(took: float) -> None:
    """Leave the outbox to `tocsin deliver` for as long as a slow transaction held it.

    A flood of requests slows the transactions of this process, not those of the other; what the
    other one stores meanwhile needs no lock here.
    """
    if took > _SLOW_SECONDS:
        time.sleep(min(took, _MOST_YIELD_SECONDS))


def _put_report(model: ReadModel, source: str, position: int, raw: bytes) -> None:
    try:
        report = decode_message(raw)
    except IcsrError:  # the case stage rejects it too, so no alert counts it
        report = None
    if report is None or isinstance(report, CaseLink | ReleaseMarker):
        model.skip(source=source, position=position)
    else:
        model.put_report(report, source=source, position=position)


def _run_feed(
    service: Service,
    open_alerts: OpenTail,
    open_reports: OpenTail | None,
    stop: threading.Event,
) -> None:
    with ExitStack() as opened:
        outbox = opened.enter_context(service.outbox())
        model = opened.enter_context(service.model())

        def next_for_both(source: str) -> int:
            return min(outbox.place(source), model.place(source))

        alerts = opened.enter_context(closing(open_alerts(next_for_both)))
        reports = open_reports and opened.enter_context(closing(open_reports(model.place)))
        while not stop.is_set():
            number = feed_once(service, alerts, reports or None, (outbox, model))
            service.health.problem = None
            if not number:
                stop.wait(_IDLE_SECONDS)
