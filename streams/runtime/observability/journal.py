"""Logging to stderr: text for a terminal, or JSON lines, which include the journal of batches.

The journal has one line for each event of a batch: counted, published, applied, evaluated, alerted,
rejected. The batch name ties them together. A line holds names of batches, counts and alert ids,
never the content of a report or a setting. docs/operate/logs.md lists the events.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from pythonjsonlogger.json import JsonFormatter

from schemas.errors import TocsinError
from schemas.rejected import Rejected
from schemas.safety_alert import SafetyAlert
from streams.intake.refusals import UNKNOWN_FIELD
from streams.runtime.broker.connection_log import ConnectionLog
from streams.runtime.embedded.case_stage import CountedBatch
from streams.runtime.observability.observer import Applied, EvaluationEvent, Observer
from streams.runtime.wire.batches import Batch

__all__ = ["Journal", "LogFormat", "logging_as"]

_LOG = logging.getLogger(__name__)
_MAX_REJECTS = 100  # lines a batch; `pv.rejected` has all rejects
# `event` names the kind of a line, as its message does.
_OF_EVERY_RECORD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "event"}

LogFormat = Literal["text", "json"]


@contextmanager
def logging_as(form: LogFormat) -> Iterator[ConnectionLog]:
    """Log to stderr until the end of the block.

    In JSON form the error that ends the block is logged too; in text form the command prints it.

    Yields
    ------
    ConnectionLog
        The filter of the Kafka clients' log. Call `report_warnings` once the clients are connected:
        until then the error of the failed attempt says everything that their warnings would.
    """
    handler, connections = logging.StreamHandler(), ConnectionLog()
    handler.addFilter(connections)
    if form == "json":
        handler.setFormatter(
            JsonFormatter(
                ["levelname", "name", "message"],
                rename_fields={"levelname": "level", "name": "logger"},
                timestamp="time",
            )
        )
    else:
        handler.setFormatter(_TextFormatter("%(asctime)s %(name)s %(message)s"))
    root, ours = logging.getLogger(), logging.getLogger("streams")
    root.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        with connections.capturing():
            yield connections
    except TocsinError as error:
        if form == "json":
            _LOG.error("stopped: %s", " ".join(str(error).split()), extra={"event": "stopped"})
        raise
    finally:
        root.removeHandler(handler)


class _TextFormatter(logging.Formatter):
    """Appends the single values among the fields of a line to its message, as `name=value`."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line without its traceback; line breaks within it are escaped."""
        line = "\\n".join(super().formatMessage(record).splitlines())
        if not record.name.startswith("streams."):
            return line  # the fields of a library are for its own formatter
        return " ".join([line, *_single_values(record)])


def _single_values(record: logging.LogRecord) -> Iterator[str]:
    for name, value in vars(record).items():
        if name not in _OF_EVERY_RECORD and isinstance(value, str | int | float):
            text = str(value)
            is_word = text and not set(text) & set(' "=\n')
            yield f"{name}={text if is_word else json.dumps(text, ensure_ascii=False)}"


class Journal(Observer):
    """Logs every event of a batch as one line with fields."""

    def batch_counted(
        self, batch: Batch, counted: CountedBatch, rejected: Sequence[Rejected], seconds: float
    ) -> None:
        """Log the tally of a batch, and the position of each reject."""
        n = counted.delta.changes["n"]
        _log(
            "counted",
            {
                **_range(batch),
                **counted.tally,
                "rejected": len(rejected),
                **({"rerouted": len(counted.rerouted)} if counted.rerouted else {}),
                "entered": int((n > 0).sum()),
                "left": int((n < 0).sum()),
                "seconds": round(seconds, 4),
            },
        )
        _log_rejected(rejected, {"batch": str(batch)})

    def delta_published(self, batch: Batch, seconds: float) -> None:
        """Log that the delta of a batch is published."""
        _log("published", {"batch": str(batch), "seconds": round(seconds, 4)})

    def delta_applied(self, delta: Applied) -> None:
        """Log the record of the delta of a batch."""
        source = f"{delta.source.topic}[{delta.source.partition}]@{delta.source.first_offset}"
        _log("applied", {**_range(delta.batch), "delta": source, "fresh": delta.fresh})

    def alerts_published(self, evaluation: EvaluationEvent, seconds: float) -> None:
        """Log the batches of an evaluation, and its alerts."""
        _log(
            "evaluated",
            {
                "evaluation": evaluation.name,
                "batches": [str(delta.batch) for delta in evaluation.deltas if delta.fresh],
                "notices": evaluation.notices,
                "alerts": len(evaluation.revisions),
                "full": evaluation.full,
                "seconds": round(seconds, 4),
            },
        )
        for alert in evaluation.revisions:
            _log(
                "alert",
                {
                    "evaluation": evaluation.name,
                    "alert_id": alert.alert_id,
                    "revision": alert.revision,
                    "kind": alert.kind.value,
                    **(
                        {"category": alert.category}
                        if isinstance(alert, SafetyAlert)
                        else {"grade": alert.grade.value}
                    ),
                },
            )

    def notices_rejected(self, rejected: Sequence[Rejected]) -> None:
        """Log the positions of notices that could not be read."""
        _log_rejected(rejected, {})


def _log_rejected(rejected: Sequence[Rejected], fields: Mapping[str, Any]) -> None:
    for reject in rejected[:_MAX_REJECTS]:
        _log(
            "rejected",
            {
                **fields,
                "source": reject.source,
                "position": reject.position,
                "class": reject.code,
                "reason": _without_sent_name(reject.reason),
            },
        )


def _without_sent_name(reason: str) -> str:
    """Return a reason without the name of an unknown field: it is the sender's text."""
    place, rule, _ = reason.partition(UNKNOWN_FIELD)
    return place + rule


def _range(batch: Batch) -> dict[str, Any]:
    """Return the name of a batch and its parts, so that a report can be found by its offset."""
    return {
        "batch": str(batch),
        "partition": batch.partition,
        "first_offset": batch.first_offset,
        "next_offset": batch.next_offset,
    }


def _log(event: str, fields: Mapping[str, Any]) -> None:
    _LOG.info("%s", event, extra={"event": event, **fields})
