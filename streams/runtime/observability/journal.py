"""The log: text for a person at a terminal, JSON lines for a machine, which also has the journal.

The journal is what became of every batch, under the name of the batch: counted, published, applied,
evaluated, alerted, and where its rejects are. It holds names of batches, counts and alert ids:
nothing of a report, and no setting. docs/operate/logs.md lists its events.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from pythonjsonlogger.json import JsonFormatter

from schemas.errors import TocsinError
from schemas.rejected import Rejected
from schemas.safety_alert import SafetyAlert
from streams.runtime.broker.connection_log import ConnectionLog
from streams.runtime.embedded.case_stage import CountedBatch
from streams.runtime.observability.observer import Applied, EvaluationEvent, Observer
from streams.runtime.wire.batches import Batch

__all__ = ["Journal", "LogFormat", "logging_as"]

_LOG = logging.getLogger(__name__)
_REJECTS = 100  # lines for one batch; all of them are on `pv.rejected`

LogFormat = Literal["text", "json"]


@contextmanager
def logging_as(form: LogFormat) -> Iterator[ConnectionLog]:
    """Write the log of this process to stderr until the end of the block.

    As JSON, it says also with which error the block ended; as text the command's own line does.

    Yields
    ------
    What knows of the connections. Once the Kafka clients have them, tell it to `hear`: from then on
    their warnings are written, no more of them than help. Those of a failing attempt to connect
    are summed up by the error.
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
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    root, ours = logging.getLogger(), logging.getLogger("streams")
    root.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        with connections.listening():
            yield connections
    except TocsinError as error:
        if form == "json":
            _LOG.error("stopped: %s", " ".join(str(error).split()), extra={"event": "stopped"})
        raise
    finally:
        root.removeHandler(handler)


class Journal(Observer):
    """Writes what becomes of every batch, one line an event, as fields."""

    def counted(
        self, batch: Batch, counted: CountedBatch, rejected: Sequence[Rejected], seconds: float
    ) -> None:
        """Say what a batch held, and where each of its rejects is."""
        n = counted.delta.changes["n"]
        _say(
            "counted",
            {
                **_range(batch),
                **counted.tally,
                "rejected": len(rejected),
                "entered": int((n > 0).sum()),
                "left": int((n < 0).sum()),
                "seconds": round(seconds, 4),
            },
        )
        _say_rejected(rejected, {"batch": str(batch)})

    def published(self, batch: Batch, seconds: float) -> None:
        """Say that the delta of a batch is on its way."""
        _say("published", {"batch": str(batch), "seconds": round(seconds, 4)})

    def applied(self, delta: Applied) -> None:
        """Say in which record the delta of a batch came."""
        source = f"{delta.source.topic}[{delta.source.partition}]@{delta.source.first_offset}"
        _say("applied", {**_range(delta.batch), "delta": source, "fresh": delta.fresh})

    def alerted(self, evaluation: EvaluationEvent, seconds: float) -> None:
        """Say which batches an evaluation took in, and which alerts came of it."""
        _say(
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
            _say(
                "alert",
                {
                    "evaluation": evaluation.name,
                    "alert_id": alert.alert_id,
                    "revision": alert.revision,
                    "kind": alert.kind.value,
                    **({"category": alert.category} if isinstance(alert, SafetyAlert) else {}),
                },
            )

    def set_aside(self, rejected: Sequence[Rejected]) -> None:
        """Say where notices stand that could not be read."""
        _say_rejected(rejected, {})


def _say_rejected(rejected: Sequence[Rejected], of: Mapping[str, Any]) -> None:
    for reject in rejected[:_REJECTS]:
        _say(
            "rejected",
            {
                **of,
                "source": reject.source,
                "position": reject.position,
                "class": reject.code,
                "reason": reject.reason,
            },
        )


def _range(batch: Batch) -> dict[str, Any]:
    """Return a batch's name, and the parts of it: a report is sought by its offset."""
    return {
        "batch": str(batch),
        "partition": batch.partition,
        "first_offset": batch.first_offset,
        "next_offset": batch.next_offset,
    }


def _say(event: str, fields: Mapping[str, Any]) -> None:
    _LOG.info("%s", event, extra={"event": event, **fields})
