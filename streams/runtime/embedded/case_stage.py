"""The case stage's shell: messages of one partition in, one delta out, state kept in between."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, Never

from schemas.delta import Delta
from schemas.errors import IcsrError, RejectCode
from schemas.link import CaseLink
from schemas.rejected import LONGEST_KEY, Rejected
from schemas.report import Report
from streams.core.cases.from_report import case_version, link_version
from streams.core.cases.transitions import CaseVersion, advance
from streams.core.duplicates.identifiers import CaseIdentifiers, identifiers_of
from streams.intake.native import decode_message
from streams.runtime.state.case_store import CaseStore
from streams.runtime.wire.batches import ReportTimes, Unreadable
from streams.runtime.wire.deltas import encode_outgoing
from streams.runtime.wire.rejects import lineage

__all__ = ["CaseStage", "CountedBatch", "Incoming", "read_batch", "reject"]

_EPOCH = date(1970, 1, 1)
_IN_THE_FUTURE = "latest_received: must not lie in the future"
_NOTHING = "value: must be a report; got nothing. A nullification takes a case back"
_FOREIGN_KEY = "key: must be the case_id of the report; got another one"


_Headers = Sequence[tuple[str, bytes | None]]


class Incoming(NamedTuple):
    """A message as it stands in the log: its offset, its value, and its key if it has one."""

    offset: int
    value: bytes | Report
    key: bytes | None = None
    headers: _Headers = ()


def read_batch(
    messages: Iterable[tuple[int, bytes | Report, bytes | None, _Headers]],
    *,
    source: str,
    horizon: date,
    identified: dict[int, CaseIdentifiers] | None = None,
) -> tuple[list[tuple[int, CaseVersion]], list[Rejected]]:
    """Read messages into versions, each with its offset; set aside what cannot be read.

    A link between cases gives what `streams.core.cases.from_report.link_version` makes of it.

    Parameters
    ----------
    messages
        In order of offset; `Incoming`, or plain tuples of the same where a name costs too much.
    source
        How rejects name where they came from, such as `pv.reports[3]`.
    horizon
        The latest day a report can honestly have been received on. A later one is rejected:
        it would move the clock of the windows for everybody.
    identified
        Takes the identifiers of the reports that state some, by offset.
    """
    versions: list[tuple[int, CaseVersion]] = []
    rejected: list[Rejected] = []
    limit = (horizon - _EPOCH).days
    for offset, value, key, headers in messages:
        try:
            if type(value) is bytes and value:
                found = decode_message(value)
            else:
                found = _refused(value) if isinstance(value, bytes) else value
            # By its type: to ask whether it is an instance of a model takes ten times as long.
            version = link_version(found) if type(found) is CaseLink else case_version(found)
            if version.latest_received > limit:
                raise IcsrError(_IN_THE_FUTURE, RejectCode.FUTURE_DATE)
            # A case whose messages stand on two partitions would be counted twice.
            if key is not None and key != version.case_id.encode():
                raise IcsrError(_FOREIGN_KEY, RejectCode.KEY)
        except IcsrError as error:
            message = Incoming(offset, value, key, headers)
            rejected.append(reject(message, source, str(error), error.code))
        else:
            versions.append((offset, version))
            if identified is not None and not version.links and (ids := identifiers_of(found)):
                identified[offset] = ids
    return versions, rejected


def _refused(value: bytes) -> Never:
    if isinstance(value, Unreadable):
        raise IcsrError(value.reason, RejectCode.COMPRESSION)
    raise IcsrError(_NOTHING, RejectCode.EMPTY)


@dataclass(frozen=True, slots=True)
class CountedBatch:
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
    ) -> CountedBatch:
        """Count the versions of the messages from `first_offset` up to, not with, `next_offset`.

        Messages of the range that gave no version were rejected, or are markers that the log keeps
        for itself. `times` travel with the delta.

        Raises
        ------
        TooLarge
            If what came of them does not fit into a message; nothing is counted then.
        """
        step = advance(versions, self._store.get([version.case_id for version in versions]))
        delta = Delta(
            partition=self._partition,
            first_offset=first_offset,
            next_offset=next_offset,
            watermark=max((version.latest_received for version in versions), default=-1),
            changes=step.changes,
            removed=step.removed,
        )
        outgoing = encode_outgoing(delta, rejected, times) if self._keep_outbox else b""
        self._store.commit(step.updates, next_offset, outgoing)
        return CountedBatch(delta, outgoing, step.tally, step.population)


def reject(message: Incoming, source: str, reason: str, code: RejectCode) -> Rejected:
    """Set a message aside, with the reason and its code."""
    value = message.value
    raw = value if isinstance(value, bytes) else value.model_dump_json().encode()
    key = message.key if message.key and len(message.key) <= LONGEST_KEY else None
    return Rejected(
        source=source,
        position=message.offset,
        reason=reason,
        raw=raw,
        key=key,
        code=code,
        **lineage(message.headers),
    )
