"""Case stage of one partition: read messages into versions, count them, return a delta."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, Never

from schemas.delta import Delta
from schemas.errors import IcsrError, RejectCode
from schemas.rejected import LONGEST_KEY, Rejected
from schemas.release import ReleaseMarker
from schemas.report import Report
from streams.core.cases.from_report import version_of
from streams.core.cases.transitions import CaseVersion, advance
from streams.core.cases.versions import RELEASE, RELEASE_PREFIX, release_key
from streams.core.duplicates.identifiers import CaseIdentifiers, identifiers_of
from streams.intake.native import decode_message
from streams.runtime.state.case_store import CaseStore
from streams.runtime.wire.batches import ReportTimes, Unreadable
from streams.runtime.wire.deltas import encode_outgoing
from streams.runtime.wire.rejects import lineage
from streams.runtime.wire.rerouting import Rerouted

__all__ = ["CaseStage", "CountedBatch", "Incoming", "read_batch", "reject"]

_EPOCH = date(1970, 1, 1)
_IN_THE_FUTURE = "latest_received: must not lie in the future"
_NOTHING = "value: must be a report; got nothing. A nullification takes a case back"
_RESERVED_ID = "case_id: must not begin with a unit separator; got one that does"
_FOREIGN_KEY = "key: must be the case_id of the report; got another one"
_Headers = Sequence[tuple[str, bytes | None]]


class Incoming(NamedTuple):
    """A message of the log: offset, value, and optional key and headers."""

    offset: int
    value: bytes | Report | ReleaseMarker
    key: bytes | None = None
    headers: _Headers = ()


def read_batch(
    messages: Iterable[tuple[int, bytes | Report | ReleaseMarker, bytes | None, _Headers]],
    *,
    source: str,
    horizon: date,
    identified: dict[int, CaseIdentifiers] | None = None,
    decoded: dict[int, Report] | None = None,
) -> tuple[list[tuple[int, CaseVersion]], list[Rejected]]:
    """Read messages into versions, each with its offset; reject unreadable messages.

    Links and release markers become versions too (`streams.core.cases.from_report`).

    Parameters
    ----------
    messages
        In order of offset: `Incoming`, or plain tuples with the same fields, which are faster.
    source
        Source of the rejects, such as `pv.reports[3]`.
    horizon
        Latest plausible day of receipt. Later reports are rejected: they would advance the
        watermark, and with it the windows of all signals.
    identified
        Receives the identifiers of reports that state any, by offset.
    decoded
        Receives the reports, by offset.
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
            version = version_of(found)
            if version.latest_received > limit or version.release > limit:
                raise IcsrError(_IN_THE_FUTURE, RejectCode.FUTURE_DATE)
            if version.version != RELEASE:
                if version.case_id.startswith(RELEASE_PREFIX):
                    raise IcsrError(_RESERVED_ID, RejectCode.SCHEMA)
                # A case with messages on two partitions would be counted twice.
                if key is not None and key != version.case_id.encode():
                    raise IcsrError(_FOREIGN_KEY, RejectCode.KEY)
        except IcsrError as error:
            message = Incoming(offset, value, key, headers)
            rejected.append(reject(message, source, str(error), error.code))
        else:
            versions.append((offset, version))
            if identified is not None and version.version >= 0 and (ids := identifiers_of(found)):
                identified[offset] = ids
            if decoded is not None and version.version >= 0:
                decoded[offset] = found
    return versions, rejected


def _refused(value: bytes) -> Never:
    if isinstance(value, Unreadable):
        raise IcsrError(value.reason, RejectCode.COMPRESSION)
    raise IcsrError(_NOTHING, RejectCode.EMPTY)


@dataclass(frozen=True, slots=True)
class CountedBatch:
    """Result of a batch: the delta for the detector stage, and the messages by outcome."""

    delta: Delta
    outgoing: bytes  # from `encode_outgoing`; empty without an outbox
    tally: Counter[str]
    population: Counter[str]
    rerouted: Sequence[Rerouted] = ()


class CaseStage:
    """Turns the versions of one input partition into deltas, and stores each before returning it.

    Parameters
    ----------
    store
        Store of the partition's cases.
    partition
        Input partition.
    keep_outbox
        Whether to store what is to be published encoded, to publish it again after a crash.
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
        rerouted: Sequence[Rerouted] = (),
    ) -> CountedBatch:
        """Count the versions of the messages from `first_offset` up to, excluding, `next_offset`.

        Offsets of the range without a version are rejects, re-routed messages or transaction
        markers. `times` and `rerouted` are published with the delta.

        Raises
        ------
        TooLarge
            If the delta does not fit into a message; nothing is counted then.
        """
        step = advance(versions, self._stored(versions))
        delta = Delta(
            partition=self._partition,
            first_offset=first_offset,
            next_offset=next_offset,
            watermark=max((version.latest_received for version in versions), default=-1),
            changes=step.changes,
            removed=step.removed,
        )
        outgoing = b""
        if self._keep_outbox:
            outgoing = encode_outgoing(delta, rejected, times, rerouted)
        self._store.commit(step.updates, next_offset, outgoing)
        return CountedBatch(delta, outgoing, step.tally, step.population, rerouted)

    def _stored(self, versions: Sequence[CaseVersion]) -> dict[str, CaseVersion]:
        """Return the stored versions that `advance` needs for these."""
        stored = self._store.get([version.case_id for version in versions])
        # A link to a case needs the marker of the scope that the stored case is of.
        scopes = {version.scope for version in (*versions, *stored.values())} - {""}
        if scopes:
            stored |= self._store.get([release_key(scope) for scope in scopes])
        closed: dict[str, int] = {}  # scopes with a new marker, and the day of its release
        for version in versions:
            if version.version == RELEASE:
                before = stored.get(version.case_id)
                if before is None or before.release < version.release:
                    closed[version.scope] = max(version.release, closed.get(version.scope, 0))
        if closed:
            for version in self._store.versions():
                if version.release < closed.get(version.scope, 0) and version.version >= 0:
                    stored.setdefault(version.case_id, version)
        return stored


def reject(message: Incoming, source: str, reason: str, code: RejectCode) -> Rejected:
    """Return a message as a reject, with the reason and its code."""
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
