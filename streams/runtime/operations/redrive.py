"""Redrive rejected messages: publish each to its topic again, exactly once, even after a crash.

A message and the marker of its reject are published in one transaction. All redrives share a
transactional id, which each one initialises first: that aborts an open transaction of an earlier
redrive and fences one that still runs. The markers read afterwards are therefore complete.
"""

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from schemas.errors import BrokerError, IcsrError, InputError, RejectCode
from streams.core.cases.versions import RELEASE
from streams.runtime.broker.clients import make_producer
from streams.runtime.broker.topic_reader import read_to_end
from streams.runtime.broker.topics import topic_name
from streams.runtime.broker.transactions import ProducerFenced, discard, transaction
from streams.runtime.embedded.case_stage import Incoming, read_batch
from streams.runtime.settings import Settings
from streams.runtime.wire.rejects import (
    Redriven,
    StoredReject,
    lineage_headers,
    marker_record,
    stored,
)
from streams.runtime.workers.notice_reader import read_notice

__all__ = ["Identity", "Redrive", "Selection", "as_line", "read_mended", "read_rejects", "redrive"]

_TRANSACTION_RECORDS = 1_000  # and as many markers: about one commit a second
_TRANSACTION_BYTES = 8 << 20

Identity = tuple[str, str]
"""Coordinates and digest of a reject."""


class _Ready(NamedTuple):
    """Record to publish for a reject: topic (without prefix), key, value, kind of redrive."""

    reject: StoredReject
    topic: str
    key: bytes
    value: bytes
    how: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Filter of rejects; `None` filters nothing.

    Attributes
    ----------
    reason, source
        Substring of the reason or source, case-insensitive.
    rule
        The rule that was broken, as `Rejected.rule` has it.
    since
        Earliest time of rejection.
    limit
        Maximum number of rejects.
    """

    reason: str | None = None
    source: str | None = None
    since: datetime | None = None
    limit: int | None = None
    rule: str | None = None

    def matches(self, reject: StoredReject) -> bool:
        """Return whether a reject passes the filter, ignoring the limit."""
        return (
            (self.reason is None or self.reason.lower() in reject.rejected.reason.lower())
            and (self.source is None or self.source.lower() in reject.rejected.source.lower())
            and (self.since is None or reject.at >= self.since)
            and (self.rule is None or self.rule == reject.rejected.rule)
        )


@dataclass(frozen=True, slots=True)
class Redrive:
    """Result of a redrive, or of a dry run.

    Attributes
    ----------
    redriven
        Number of messages published `as it was` or `mended`.
    left
        Number of messages that would be rejected again, by reason; they were not published.
    """

    redriven: Counter[str]
    left: Counter[str]


def read_rejects(
    settings: Settings, selection: Selection, *, redriven: bool = False
) -> Iterator[tuple[StoredReject, str | None]]:
    """Yield open rejects, each with `None`; with `redriven`, also others with how they went.

    Memory: one reject at a time, and the identity of every reject and marker.
    """
    topic = topic_name(settings, "rejected")
    markers, _ = _survey(settings, topic)
    found = (
        (reject, markers.get(reject.identity))
        for reject in _stored(settings, topic)
        if selection.matches(reject) and (redriven or reject.identity not in markers)
    )
    return islice(found, selection.limit)


def redrive(
    settings: Settings,
    selection: Selection,
    mended: Mapping[Identity, bytes] | None = None,
    *,
    dry_run: bool = False,
) -> Redrive:
    """Publish rejected messages again, each at most once: reports by case id, notices by subject.

    A message from the topic of reports or notices returns to it; one from a file goes to the topic
    of its content. A message that this version of Tocsin would reject again is not published.

    Parameters
    ----------
    settings
        Connection settings.
    selection
        Filter of the rejects.
    mended
        Corrected bytes by identity; if given, only these rejects are redriven.
    dry_run
        Whether to return the result without publishing; does not fence a running redrive.

    Raises
    ------
    InputError
        If a mended message is of a reject that is not on the topic.
    BrokerError
        If publishing failed, or another redrive fenced this one. Run it again: redriven messages
        are skipped.
    """
    topic = topic_name(settings, "rejected")
    # The producer first: see the module docstring.
    producer = None if dry_run else make_producer(settings, f"{topic}-redrive")
    try:
        markers, found = _survey(settings, topic, mended or ())
        for identity in mended or ():
            if identity not in found:
                msg = f"--from: every reject must be on {topic}; got {identity[0]}, of other bytes"
                raise InputError(msg + " or not there at all")
        result = Redrive(Counter(), Counter())
        chosen = (
            reject
            for reject in _stored(settings, topic)
            if selection.matches(reject)
            and reject.identity not in markers
            and (mended is None or reject.identity in mended)
        )
        ready = _ready(settings, islice(chosen, selection.limit), mended or {}, result.left)
        for part in _parts(ready):
            if producer is not None:
                _publish(settings, producer, part)
            result.redriven.update(record.how for record in part)
        return result
    except ProducerFenced as error:
        msg = f"redrive {topic}: another redrive has begun and goes on with what is left: {error}"
        raise BrokerError(msg) from error
    finally:
        if producer is not None:
            discard(producer)


def as_line(reject: StoredReject, redriven: str | None) -> dict[str, Any]:
    """Return a reject as an object of a JSON line, with the fields of `read_mended` and details.

    The message is `value` if it is UTF-8, else `value_base64`.
    """
    rejected = reject.rejected
    line = {
        **rejected.model_dump(exclude={"raw", "key"}),
        "digest": reject.digest,
        "at": reject.at.isoformat(),
        "size": reject.size,
        "redriven": redriven,
        "key": None if rejected.key is None else rejected.key.decode(errors="replace"),
    }
    try:
        return line | {"value": rejected.raw.decode()}
    except UnicodeDecodeError:
        return line | {"value_base64": base64.b64encode(rejected.raw).decode()}


def read_mended(path: Path) -> dict[Identity, bytes]:
    """Read lines of `as_line` that an operator has edited.

    `value` may be a report or notice as text or as an object.

    Raises
    ------
    InputError
        If the file cannot be read, or a line lacks the identity of its reject or the value.
    """
    mended: dict[Identity, bytes] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"--from: {path} must be a readable text file; got {error}"
        raise InputError(msg) from error
    for number, text in enumerate(lines, start=1):
        if text.strip():
            identity, value = _mended(f"--from: {path}:{number}", text)
            if mended.setdefault(identity, value) != value:
                msg = f"--from: {path}:{number}: a reject must be mended in one way; got another"
                raise InputError(msg)
    return mended


def _mended(where: str, text: str) -> tuple[Identity, bytes]:
    try:
        line = json.loads(text)
    except ValueError as error:
        msg = f"{where}: a line of `tocsin rejected list -o jsonl` must be given; got {error}"
        raise InputError(msg) from error
    match line:
        case {"source": str(source), "position": int(position), "digest": str(digest)}:
            identity = f"{source}@{position}", digest
        case _:
            msg = f"{where}: source, position and digest must say which reject; got others"
            raise InputError(msg)
    match line.get("value"):
        case str(value):
            return identity, value.encode()
        case dict(value):
            return identity, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        case _:
            msg = f"{where}: value must be a report or notice, as text or as an object; got neither"
            raise InputError(msg)


def _stored(settings: Settings, topic: str) -> Iterator[StoredReject]:
    """Yield every reject of the topic once; skip those deleted before they are read."""
    seen: set[Identity] = set()
    for record in read_to_end(settings, topic, settled=True):
        reject = stored(record)
        if isinstance(reject, StoredReject) and reject.identity not in seen:
            seen.add(reject.identity)
            yield reject


def _survey(
    settings: Settings, topic: str, wanted: Iterable[Identity] = ()
) -> tuple[dict[Identity, str], set[Identity]]:
    """Return how each redriven identity was redriven, and which wanted identities exist."""
    markers: dict[Identity, str] = {}
    missing = set(wanted)
    found: set[Identity] = set()
    for record in read_to_end(settings, topic, settled=True):
        entry = stored(record)
        if isinstance(entry, Redriven):
            markers[entry.identity] = entry.how
        elif entry is not None and entry.identity in missing:
            found.add(entry.identity)
    return markers, found


def _ready(
    settings: Settings,
    rejects: Iterable[StoredReject],
    mended: Mapping[Identity, bytes],
    left: Counter[str],
) -> Iterator[_Ready]:
    """Yield the records to publish; count messages that would be rejected again, by reason."""
    horizon = datetime.now(UTC).date() + timedelta(days=1)
    for reject in rejects:
        raw = reject.rejected.raw
        value = mended.get(reject.identity, raw)
        if value is raw and not reject.whole:
            left[f"only the first {len(raw)} of {reject.size} bytes are kept here"] += 1
            continue
        try:
            topic, key = _place(settings, reject.rejected.source, value, horizon)
        except IcsrError as error:
            left[str(error)] += 1
        else:
            yield _Ready(reject, topic, key, value, "as it was" if value == raw else "mended")


def _place(settings: Settings, source: str, value: bytes, horizon: date) -> tuple[str, bytes]:
    """Return topic and key of a message; raise its `IcsrError` if it would be rejected again."""
    readers: dict[str, Callable[[bytes, date], bytes]] = {
        "reports": _case_id,
        "notices": _subject_id,
    }
    for name, key_of in readers.items():
        if source.startswith(f"{topic_name(settings, name)}["):
            return name, key_of(value, horizon)
    # A line of a file. No report has a `notice_id`, and every notice has one.
    name = "notices" if b'"notice_id"' in value else "reports"
    return name, readers[name](value, horizon)


def _case_id(value: bytes, horizon: date) -> bytes:
    versions, rejected = read_batch([Incoming(0, value)], source="", horizon=horizon)
    if rejected:
        (reject,) = rejected
        raise IcsrError(reject.reason, reject.code or RejectCode.SCHEMA)
    (_, version), *_ = versions
    if version.version == RELEASE:
        msg = "release_marker: must go to every partition; publish the release again"
        raise IcsrError(msg, RejectCode.SCHEMA)
    return version.case_id.encode()


def _subject_id(value: bytes, horizon: date) -> bytes:
    return read_notice(value, horizon).subject_id.encode()


def _parts(ready: Iterable[_Ready]) -> Iterator[list[_Ready]]:
    part: list[_Ready] = []
    size = 0
    for record in ready:
        part.append(record)
        size += len(record.value)
        if len(part) == _TRANSACTION_RECORDS or size > _TRANSACTION_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _publish(settings: Settings, producer: Any, part: Iterable[_Ready]) -> None:
    rejected = topic_name(settings, "rejected")
    with transaction(producer) as out:
        for reject, topic, key, value, how in part:
            headers = lineage_headers(reject.rejected)
            out.send(topic_name(settings, topic), value, key, headers=headers)
            name, headers = marker_record(reject, how)
            out.send(rejected, None, name, headers=headers)
