"""Case store of one partition: the state of the case stage, committed atomically."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self, cast

import msgspec
from rocksdict import WriteBatch, WriteOptions

from schemas.errors import StateError
from streams.core.cases.transitions import CaseVersion
from streams.runtime.state.changelog import Pair, Part, encode_pairs
from streams.runtime.state.rocksdb import open_database
from streams.runtime.wire.formats import COUNT_AGAIN

__all__ = [
    "CASE_PREFIX",
    "CaseStore",
    "MemoryStore",
    "RocksStore",
    "StoreDamaged",
    "StoreLocked",
    "StoreSize",
    "Unpublished",
]

_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(CaseVersion).decode


class StoreDamaged(StateError):
    """A database on disk is corrupt; a worker sets it aside and restores it.

    If it happens again, check the disk.
    """


class StoreLocked(StateError):
    """Another process has the database open. Stop that worker first, or wait until it closes it."""


class Unpublished(NamedTuple):
    """Entry of the outbox: the output of a batch to publish, and the next input offset."""

    next_offset: int
    outgoing: bytes
    changes: list[Part]  # the pairs written to the store


class StoreSize(NamedTuple):
    """Size of the database of one partition, as RocksDB estimates it."""

    live_bytes: int  # in files, without the write buffers
    memory_bytes: int  # without the block cache, which all databases of a process share
    cases: int


class CaseStore(Protocol):
    """The latest version of every case of one partition, and the next offset of the input.

    `commit` writes versions, offset and outbox entry atomically.
    """

    @property
    def next_offset(self) -> int | None:
        """Return the next offset of the input; `None` before the first commit."""

    def get(self, case_ids: Sequence[str]) -> dict[str, CaseVersion]:
        """Return the stored versions of these cases."""

    def versions(self) -> Iterable[CaseVersion]:
        """Return the version of every case, and release markers."""

    def commit(self, updates: Mapping[str, CaseVersion], next_offset: int, outgoing: bytes) -> None:
        """Store versions, offset and, unless empty, the outbox entry atomically."""

    def unpublished(self) -> list[Unpublished]:
        """Return the entries of the outbox, which may not be published yet, in order."""

    def published(self, next_offset: int) -> None:
        """Delete the entries of the outbox whose next offset is at most this one."""


class MemoryStore:
    """A `CaseStore` in memory: for replay, demo and tests.

    Versions are stored encoded, as on disk: as objects, a million cases would take 200 MB more.
    """

    def __init__(self) -> None:
        self._versions: dict[str, bytes] = {}
        self._outbox: list[Unpublished] = []
        self._next_offset: int | None = None

    @property
    def next_offset(self) -> int | None:
        """Return the next offset of the input; `None` before the first commit."""
        return self._next_offset

    def get(self, case_ids: Sequence[str]) -> dict[str, CaseVersion]:
        """Return the stored versions of these cases."""
        stored = self._versions
        return {case_id: _DECODE(stored[case_id]) for case_id in case_ids if case_id in stored}

    def versions(self) -> Iterator[CaseVersion]:
        """Yield the version of every case, and release markers."""
        yield from map(_DECODE, self._versions.values())

    def commit(self, updates: Mapping[str, CaseVersion], next_offset: int, outgoing: bytes) -> None:
        """Store versions, offset and, unless empty, the outbox entry atomically."""
        self._versions.update(zip(updates, map(_ENCODE, updates.values()), strict=True))
        self._next_offset = next_offset
        if outgoing:
            self._outbox.append(Unpublished(next_offset, outgoing, []))

    def unpublished(self) -> list[Unpublished]:
        """Return the entries of the outbox, which may not be published yet, in order."""
        return list(self._outbox)

    def published(self, next_offset: int) -> None:
        """Delete the entries of the outbox whose next offset is at most this one."""
        self._outbox = [entry for entry in self._outbox if entry.next_offset > next_offset]


# Keys of the database. A case id is at most 200 characters, so no prefix is ambiguous.
CASE_PREFIX, _OFFSET, _OUTBOX, _IDENTITY, _MANIFEST = b"c", b"o", b"x", b"i", b"m"
_NOT_CASES = 3  # keys: the offset, the identity and the manifest
_STATE = (CASE_PREFIX,)  # prefixes of the keys that the changelog holds; adjacent, in order
# Error messages of a full disk, a quota, a size limit; and of RocksDB's writes after the first.
_NO_ROOM = ("No space left", "quota exceeded", "File too large", "Writer has previous error")
_FORMAT = 5  # version of the stored values; any other is refused


class RocksStore:
    """A `CaseStore` on disk, one RocksDB database a partition.

    A batch is one synced write: after a crash versions, offset and outbox entry are either all
    stored or none is. The store may be ahead of the acknowledged records; the outbox holds the
    records to publish again.

    Parameters
    ----------
    path
        Folder of the database; created if missing.
    identity
        Topic and partition of the state; `None` to open an existing database read-only, even while
        a worker has it open.

    Raises
    ------
    StoreLocked
        If another process has it open.
    StoreDamaged
        If it does not open.
    StateError
        If the folder holds the state of another topic or partition, or of another format.
    """

    def __init__(self, path: Path, identity: str | None) -> None:
        self._path = path
        self._outbox: dict[int, Unpublished] | None = None  # cached after the first read
        manifest, size = self._manifest()
        with self._errors("open"):
            if identity is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = open_database(path, read_only=identity is None)
        self._synced = WriteOptions()
        self._synced.sync = True
        try:
            if identity is not None:
                self._claim(f"{_FORMAT} {identity}".encode())
            elif not self.identity.startswith(f"{_FORMAT} "):
                msg = f"store {path}: must be of format {_FORMAT}; got '{self.identity}'. "
                raise StateError(msg + COUNT_AGAIN)
            self._require_manifest(manifest, size)
        except BaseException:
            self._db.close()
            raise
        self._recorded: tuple[str, int] | None = None  # with the first batch

    @property
    def path(self) -> Path:
        """Return the folder of the database."""
        return self._path

    @property
    def identity(self) -> str:
        """Return the stored format, topic, partition and number of partitions."""
        stored = self._get(_IDENTITY)
        return "nothing" if stored is None else stored.decode(errors="replace")

    @property
    def next_offset(self) -> int | None:
        """Return the next offset of the input; `None` before the first commit."""
        raw = self._get(_OFFSET)
        return None if raw is None else int.from_bytes(raw, "big")

    def get(self, case_ids: Sequence[str]) -> dict[str, CaseVersion]:
        """Return the stored versions of these cases."""
        keys: list[Any] = [CASE_PREFIX + case_id.encode() for case_id in case_ids]
        with self._errors("read"):
            values = cast(list[bytes | None], self._db.get(keys))
        return {
            case_id: _DECODE(raw)
            for case_id, raw in zip(case_ids, values, strict=True)
            if raw is not None
        }

    def commit(self, updates: Mapping[str, CaseVersion], next_offset: int, outgoing: bytes) -> None:
        """Store versions, offset and, unless empty, the outbox entry atomically.

        Raises
        ------
        TooLarge
            If the changes do not fit into a message; nothing is stored then.
        """
        pairs: list[Pair] = [
            (CASE_PREFIX + case_id.encode(), _ENCODE(version))
            for case_id, version in updates.items()
        ]
        batch = _written(pairs)
        batch.put(_OFFSET, next_offset.to_bytes(8, "big"))
        entry = Unpublished(next_offset, outgoing, encode_pairs(pairs)) if outgoing else None
        if entry is not None:
            value = msgspec.msgpack.encode(entry[1:])
            batch.put(_OUTBOX + next_offset.to_bytes(8, "big"), value)
        self._write(batch)
        if entry is not None and self._outbox is not None:
            self._outbox[next_offset] = entry

    def unpublished(self) -> list[Unpublished]:
        """Return the entries of the outbox, which may not be published yet, in order."""
        return list(self._unpublished().values())

    def published(self, next_offset: int) -> None:
        """Delete the entries of the outbox whose next offset is at most this one."""
        done = [offset for offset in self._unpublished() if offset <= next_offset]
        batch = WriteBatch(raw_mode=True)
        for offset in done:
            batch.delete(_OUTBOX + offset.to_bytes(8, "big"))
        with self._errors("write"):
            self._db.write(batch)  # unsynced: publishing again is harmless
        for offset in done:
            del self._unpublished()[offset]

    def _unpublished(self) -> dict[int, Unpublished]:
        """Return the outbox by offset; read once, since only this object writes to it."""
        if self._outbox is None:
            found = {}
            for key, value in self._scan(_OUTBOX):
                if not key.startswith(_OUTBOX):
                    break
                outgoing, changes = msgspec.msgpack.decode(value, type=tuple[bytes, list[Part]])
                end = int.from_bytes(key[1:], "big")
                found[end] = Unpublished(end, outgoing, changes)
            self._outbox = found
        return self._outbox

    def versions(self) -> Iterator[CaseVersion]:
        """Yield the version of every case, and release markers, in order of keys."""
        for key, value in self._scan(CASE_PREFIX):
            if not key.startswith(CASE_PREFIX):
                break
            yield _DECODE(value)

    def state_after(self, key: bytes, size: int) -> tuple[list[Pair], bool]:
        """Return about `size` bytes of the state after a key, and whether these pairs are the last.

        Parameters
        ----------
        key
            Last key of the previous call; empty at first.
        """
        pairs: list[Pair] = []
        # Start at the least key greater than `key`.
        for found, value in self._scan(key + b"\0" if key else _STATE[0]):
            if not found.startswith(_STATE):
                break
            if size <= 0:
                return pairs, False
            pairs.append((found, value))
            size -= len(found) + len(value)
        return pairs, True

    def load(self, pairs: Iterable[Pair]) -> None:
        """Write pairs of a changelog, unsynced; `settle` makes them durable."""
        with self._errors("write"):
            self._db.write(_written(pairs))

    def settle(self, next_offset: int) -> None:
        """Set the next offset of the input, and sync the restored state."""
        batch = WriteBatch(raw_mode=True)
        batch.put(_OFFSET, next_offset.to_bytes(8, "big"))
        self._write(batch)

    def size(self) -> StoreSize:
        """Return the size of the database, as RocksDB estimates it."""

        def estimate(name: str) -> int:
            return int(self._db.property_int_value(f"rocksdb.{name}") or 0)

        memory = ("cur-size-all-mem-tables", "estimate-table-readers-mem")  # not shared
        cases = max(estimate("estimate-num-keys") - _NOT_CASES, 0)
        return StoreSize(estimate("estimate-live-data-size"), sum(map(estimate, memory)), cases)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; another process may then open it."""
        # Closing flushes the write buffers, which fails on a full disk; opening replays the log.
        with suppress(Exception):
            self._db.close()

    def _get(self, key: bytes) -> bytes | None:
        with self._errors("read"):
            return cast(bytes | None, self._db.get(key))

    def _scan(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        with self._errors("read"):
            found = self._db.iter()
            found.seek(start)
            while found.valid():
                yield found.key(), found.value()
                found.next()
            found.status()  # raises if the scan stopped at damaged data

    def _write(self, batch: WriteBatch) -> None:
        if (manifest := self._manifest()) != self._recorded:
            batch.put(_MANIFEST, f"{manifest[1]} {manifest[0]}".encode())
            self._recorded = manifest
        with self._errors("write"):
            self._db.write(batch, self._synced)

    def _manifest(self) -> tuple[str, int]:
        """Return the name and size of RocksDB's manifest, the list of its files."""
        try:
            name = (self._path / "CURRENT").read_text(encoding="ascii").strip()
            return name, (self._path / name).stat().st_size
        except (OSError, ValueError):
            return "", 0

    def _require_manifest(self, name: str, size: int) -> None:
        """Raise if the manifest is shorter than it was when the last batch was written.

        RocksDB would assume that a crash truncated it, and would open without some of the files.
        """
        recorded = self._get(_MANIFEST)
        if recorded is not None:
            least, _, recorded_name = recorded.decode().partition(" ")
            if recorded_name == name and size < int(least):
                msg = f"store {self._path}: {name} must have {least} bytes or more; got {size}"
                raise StoreDamaged(msg)

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (StateError, GeneratorExit):
            raise
        except Exception as error:  # rocksdict raises nothing more specific
            text = str(error)
            msg = f"store {self._path}: the database must {doing}; got {text}"
            if "/LOCK" in text:
                raise StoreLocked(msg) from error
            if any(words in text for words in _NO_ROOM):
                msg += ". Make room on the disk of state_dir and start again; nothing is lost"
                raise StateError(msg) from error
            if "Corruption" in text or ("MANIFEST" in text and "No such file" in text):
                raise StoreDamaged(msg) from error
            raise StateError(msg) from error

    def _claim(self, identity: bytes) -> None:
        stored = self._get(_IDENTITY)
        if stored is None and self.next_offset is None:
            with self._errors("write"):
                self._db.put(_IDENTITY, identity)
        elif stored != identity:
            msg = (
                f"store {self._path}: the state must be of '{identity.decode()}'; got "
                f"'{self.identity}'. "
            )
            if stored is not None and stored.split(b" ")[0] != identity.split(b" ")[0]:
                raise StateError(msg + COUNT_AGAIN)
            hint = "Point state_dir elsewhere, or move this folder away to rebuild"
            raise StateError(msg + hint)


def _written(pairs: Iterable[Pair]) -> WriteBatch:
    batch = WriteBatch(raw_mode=True)
    for key, value in pairs:
        if value is None:
            batch.delete(key)
        else:
            batch.put(key, value)
    return batch
