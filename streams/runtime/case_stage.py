"""The case stage's shell: messages of one partition in, one delta out, state kept in between."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from schemas.delta import Delta
from schemas.errors import IcsrError
from schemas.rejected import Rejected
from schemas.report import Report
from streams.intake.native import decode_report
from streams.runtime.codec import encode_outgoing
from streams.runtime.correlation import ReportTimes
from streams.runtime.store import CaseStore
from streams.topology.cases import CaseVersion, advance, case_version

__all__ = ["CaseStage", "Counted", "Incoming", "read_batch"]

_EPOCH = date(1970, 1, 1)


class Incoming(NamedTuple):
    """A message as it stands in the log: its offset, its value, and its key if it has one."""

    offset: int
    value: bytes | Report
    key: bytes | None = None


def read_batch(
    messages: Iterable[Incoming], *, source: str, horizon: date
) -> tuple[list[tuple[int, CaseVersion]], list[Rejected]]:
    """Read messages into versions, each with its offset; set aside what cannot be read.

    Parameters
    ----------
    messages
        In order of offset.
    source
        How rejects name where they came from, such as `pv.reports[3]`.
    horizon
        The latest day a report can honestly have been received on. A later one is rejected:
        it would move the clock of the windows for everybody.
    """
    versions: list[tuple[int, CaseVersion]] = []
    rejected: list[Rejected] = []
    limit = (horizon - _EPOCH).days
    for message in messages:
        try:
            versions.append((message.offset, _read(message, limit)))
        except IcsrError as error:
            rejected.append(_reject(message, source, str(error)))
    return versions, rejected


@dataclass(frozen=True, slots=True)
class Counted:
    """What one batch gave: the delta for the detector stage, and what became of the messages."""

    delta: Delta
    outgoing: bytes  # what `encode_outgoing` made of delta and rejects; empty without an outbox
    tally: Counter[str]
    population: Counter[str]


class CaseStage:
    """Turns the versions of one input partition into deltas, and commits each before giving it out.

    Parameters
    ----------
    store
        Holds the cases of the partition.
    partition
        Input partition.
    keep_outbox
        Whether delta and rejects are stored encoded, to be published again after a crash.
    """

    def __init__(self, store: CaseStore, *, partition: int, keep_outbox: bool) -> None:
        self._store = store
        self._partition = partition
        self._keep_outbox = keep_outbox

    def count(
        self,
        versions: Sequence[CaseVersion],
        rejected: Sequence[Rejected] = (),
        *,
        first_offset: int,
        next_offset: int,
        times: ReportTimes | None = None,
    ) -> Counted:
        """Count the versions of the messages from `first_offset` up to, not with, `next_offset`.

        Messages of the range that gave no version were rejected, or are markers that the log keeps
        for itself. `times` travel with the delta.
        """
        step = advance(versions, self._store.get([version.case_id for version in versions]))
        delta = Delta(
            partition=self._partition,
            first_offset=first_offset,
            next_offset=next_offset,
            watermark=max((version.latest_received for version in versions), default=-1),
            changes=step.changes,
        )
        outgoing = encode_outgoing(delta, rejected, times) if self._keep_outbox else b""
        self._store.commit(step.updates, next_offset, outgoing)
        return Counted(delta, outgoing, step.tally, step.population)


def _read(message: Incoming, limit: int) -> CaseVersion:
    value = message.value
    version = case_version(value if isinstance(value, Report) else decode_report(value))
    if version.latest_received > limit:
        msg = "latest_received: must not lie in the future"
        raise IcsrError(msg)
    # A case whose messages stand on two partitions would be counted twice.
    if message.key is not None and message.key != version.case_id.encode():
        msg = "key: must be the case_id of the report; got another one"
        raise IcsrError(msg)
    return version


def _reject(message: Incoming, source: str, reason: str) -> Rejected:
    value = message.value
    raw = value if isinstance(value, bytes) else value.model_dump_json().encode()
    return Rejected(source=source, position=message.offset, reason=reason, raw=raw)
