"""What a case stage remembers of one partition, and the promise that it changes all at once."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self, cast

import msgspec
from rocksdict import Options, Rdict, WriteBatch, WriteOptions

from schemas.errors import StateError
from streams.topology.cases import CaseVersion

__all__ = ["CaseStore", "MemoryStore", "RocksStore", "StoreSize"]


class StoreSize(NamedTuple):
    """What the database of one partition takes, as RocksDB estimates it."""

    live_bytes: int  # in files; what is not flushed to one yet is in memory only
    memory_bytes: int
    cases: int


class CaseStore(Protocol):
    """The latest version of every case of one partition, and how far the input was read.

    `commit` writes the versions, the offset and what is to be published together or not at all.
    """

    @property
    def next_offset(self) -> int | None:
        """First offset that was not read; `None` before the first commit."""

    def get(self, case_ids: Sequence[str]) -> dict[str, CaseVersion]:
        """Return the versions that are held, of those asked for."""

    def commit(self, updates: Mapping[str, CaseVersion], next_offset: int, outgoing: bytes) -> None:
        """Store versions, offset and what is to be published (if anything) in one step."""

    def unpublished(self) -> list[tuple[int, bytes]]:
        """Return `next_offset` and content of what is not known to be published, in order."""

    def published(self, next_offset: int) -> None:
        """Forget what was to be published, up to and with the batch that ends at an offset."""


class MemoryStore:
    """A `CaseStore` that ends with the process: for replay, demo and tests."""

    def __init__(self) -> None:
        self._versions: dict[str, CaseVersion] = {}
        self._outbox: list[tuple[int, bytes]] = []
        self._next_offset: int | None = None

    @property
    def next_offset(self) -> int | None:
        """First offset that was not read; `None` before the first commit."""
        return self._next_offset

    def get(self, case_ids: Sequence[str]) -> dict[str, CaseVersion]:
        """Return the versions that are held, of those asked for."""
        held = self._versions
        return {case_id: held[case_id] for case_id in case_ids if case_id in held}

    def commit(self, updates: Mapping[str, CaseVersion], next_offset: int, outgoing: bytes) -> None:
        """Store versions, offset and what is to be published (if anything) in one step."""
        self._versions.update(updates)
        self._next_offset = next_offset
        if outgoing:
            self._outbox.append((next_offset, outgoing))

    def unpublished(self) -> list[tuple[int, bytes]]:
        """Return `next_offset` and content of what is not known to be published, in order."""
        return list(self._outbox)

    def published(self, next_offset: int) -> None:
        """Forget what was to be published, up to and with the batch that ends at an offset."""
        self._outbox = [entry for entry in self._outbox if entry[0] > next_offset]


# Keys of the database. A case id is at most 200 characters, so no prefix is ambiguous.
_CASE, _OFFSET, _OUTBOX, _IDENTITY = b"c", b"o", b"x", b"i"
_NOT_CASES = 2  # keys: the offset and the identity
_FORMAT = 1  # of the stored values; another one is refused, never guessed at


class RocksStore:
    """A `CaseStore` on disk, one RocksDB database a partition.

    A batch is one synced write: after a crash versions, offset and outgoing messages are all
    there or none is. The store may be ahead of what Kafka acknowledged; the outbox
    holds what is then published again.

    Parameters
    ----------
    path
        Folder of the database; made if missing.
    identity
        Topic and partition the state belongs to.

    Raises
    ------
    StateError
        If the folder holds the state of another topic or partition, or of another format.
    """

    def __init__(self, path: Path, identity: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._forgotten = 0  # no entry of the outbox below this offset is left
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(CaseVersion).decode
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        try:
            self._db = Rdict(str(path), options)
        except Exception as error:
            msg = f"store {path}: the database must open; got {error}"
            raise StateError(msg) from error
        self._synced = WriteOptions()
        self._synced.sync = True
        self._claim(f"{_FORMAT} {identity}".encode())

    @property
    def next_offset(self) -> int | None:
        """First offset that was not read; `None` before the first commit."""
        raw = self._db.get(_OFFSET)
        return None if raw is None else int.from_bytes(raw, "big")

    def get(self, case_ids: Sequence[str]) -> dict[str, CaseVersion]:
        """Return the versions that are held, of those asked for."""
        keys: list[Any] = [_CASE + case_id.encode() for case_id in case_ids]
        values = cast(list[bytes | None], self._db.get(keys))
        return {
            case_id: self._decode(raw)
            for case_id, raw in zip(case_ids, values, strict=True)
            if raw is not None
        }

    def commit(self, updates: Mapping[str, CaseVersion], next_offset: int, outgoing: bytes) -> None:
        """Store versions, offset and what is to be published (if anything) in one step."""
        batch = WriteBatch(raw_mode=True)
        for case_id, version in updates.items():
            batch.put(_CASE + case_id.encode(), self._encode(version))
        batch.put(_OFFSET, next_offset.to_bytes(8, "big"))
        if outgoing:
            batch.put(_OUTBOX + next_offset.to_bytes(8, "big"), outgoing)
        self._db.write(batch, self._synced)

    def unpublished(self) -> list[tuple[int, bytes]]:
        """Return `next_offset` and content of what is not known to be published, in order."""
        entries = []
        # From where it can begin: forgotten entries leave marks that a scan would wade through.
        start = _OUTBOX + self._forgotten.to_bytes(8, "big")
        stored = cast(Iterator[tuple[bytes, bytes]], self._db.items(from_key=start))
        for key, value in stored:
            if not key.startswith(_OUTBOX):
                break
            entries.append((int.from_bytes(key[1:], "big"), bytes(value)))
        return entries

    def published(self, next_offset: int) -> None:
        """Forget what was to be published, up to and with the batch that ends at an offset."""
        batch = WriteBatch(raw_mode=True)
        for end, _ in self.unpublished():
            if end <= next_offset:
                batch.delete(_OUTBOX + end.to_bytes(8, "big"))
        self._forgotten = max(self._forgotten, next_offset + 1)
        self._db.write(batch)  # unsynced: to publish again what was published is harmless

    def size(self) -> StoreSize:
        """Return what the database takes, as RocksDB estimates it."""

        def told(name: str) -> int:
            return int(self._db.property_int_value(f"rocksdb.{name}") or 0)

        memory = ("cur-size-all-mem-tables", "block-cache-usage", "estimate-table-readers-mem")
        cases = max(told("estimate-num-keys") - _NOT_CASES, 0)
        return StoreSize(told("estimate-live-data-size"), sum(map(told, memory)), cases)

    def close(self) -> None:
        """Close the database; another process may then open it."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _claim(self, identity: bytes) -> None:
        held = self._db.get(_IDENTITY)
        if held is None and self._db.get(_OFFSET) is None:
            self._db.put(_IDENTITY, identity)
        elif held != identity:
            self._db.close()
            was = "nothing" if held is None else held.decode(errors="replace")
            msg = (
                f"store {self._path}: the state must be of '{identity.decode()}'; got '{was}'. "
                "Point state_dir elsewhere, or move this folder away to rebuild"
            )
            raise StateError(msg)
