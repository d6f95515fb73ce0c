"""What a case stage remembers of one partition, and the promise that it changes all at once."""

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
    """A database on disk is not what was written; a worker sets it aside and restores it.

    If it happens again, look at the disk.
    """


class StoreLocked(StateError):
    """Another process has the database open. Stop that worker first, or wait until it lets go."""


class Unpublished(NamedTuple):
    """An entry of the outbox: what is to be published with the input offset it ends at."""

    next_offset: int
    outgoing: bytes
    changes: list[Part]  # what was written to the store


class StoreSize(NamedTuple):
    """What the database of one partition takes, as RocksDB estimates it."""

    live_bytes: int  # in files; what is not flushed to one yet is in memory only
    memory_bytes: int  # without blocks of files, which all databases of a process hold together
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

    def unpublished(self) -> list[Unpublished]:
        """Return what is not known to be published, in order."""

    def published(self, next_offset: int) -> None:
        """Forget what was to be published, up to and with the batch that ends at an offset."""


class MemoryStore:
    """A `CaseStore` that ends with the process: for replay, demo and tests.

    Versions are held encoded, as on disk: of a million cases as objects a replay takes 200 MB more.
    """

    def __init__(self) -> None:
        self._versions: dict[str, bytes] = {}
        self._outbox: list[Unpublished] = []
        self._next_offset: int | None = None

    @property
    def next_offset(self) -> int | None:
        """First offset that was not read; `None` before the first commit."""
        return self._next_offset

    def get(self, case_ids: Sequence[str]) -> dict[str, CaseVersion]:
        """Return the versions that are held, of those asked for."""
        held = self._versions
        return {case_id: _DECODE(held[case_id]) for case_id in case_ids if case_id in held}

    def commit(self, updates: Mapping[str, CaseVersion], next_offset: int, outgoing: bytes) -> None:
        """Store versions, offset and what is to be published (if anything) in one step."""
        self._versions.update(zip(updates, map(_ENCODE, updates.values()), strict=True))
        self._next_offset = next_offset
        if outgoing:
            self._outbox.append(Unpublished(next_offset, outgoing, []))

    def unpublished(self) -> list[Unpublished]:
        """Return what is not known to be published, in order."""
        return list(self._outbox)

    def published(self, next_offset: int) -> None:
        """Forget what was to be published, up to and with the batch that ends at an offset."""
        self._outbox = [entry for entry in self._outbox if entry.next_offset > next_offset]


# Keys of the database. A case id is at most 200 characters, so no prefix is ambiguous.
CASE_PREFIX, _OFFSET, _OUTBOX, _IDENTITY, _MANIFEST = b"c", b"o", b"x", b"i", b"m"
_NOT_CASES = 3  # keys: the offset, the identity and the manifest
_STATE = (CASE_PREFIX,)  # prefixes of what the changelog keeps; adjacent, in order
# What systems say of a full disk, a quota, a limit; and RocksDB of every write after the first.
_NO_ROOM = ("No space left", "quota exceeded", "File too large", "Writer has previous error")
_FORMAT = 4  # of the stored values; another one is refused, never guessed at


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
        Topic and partition the state belongs to; `None` to open what is there, to read it only,
        also while a worker has it open.

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
        self._outbox: dict[int, Unpublished] | None = None  # as it stands, once it was read
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
                msg = f"store {path}: must be of format {_FORMAT}; got '{self.identity}'"
                raise StateError(msg)
            self._require_manifest(manifest, size)
        except BaseException:
            self._db.close()
            raise
        self._recorded: tuple[str, int] | None = None  # with the first batch

    @property
    def path(self) -> Path:
        """Folder of the database."""
        return self._path

    @property
    def identity(self) -> str:
        """Format, topic, partition and number of partitions, as they are stored."""
        held = self._get(_IDENTITY)
        return "nothing" if held is None else held.decode(errors="replace")

    @property
    def next_offset(self) -> int | None:
        """First offset that was not read; `None` before the first commit."""
        raw = self._get(_OFFSET)
        return None if raw is None else int.from_bytes(raw, "big")

    def get(self, case_ids: Sequence[str]) -> dict[str, CaseVersion]:
        """Return the versions that are held, of those asked for."""
        keys: list[Any] = [CASE_PREFIX + case_id.encode() for case_id in case_ids]
        with self._errors("read"):
            values = cast(list[bytes | None], self._db.get(keys))
        return {
            case_id: _DECODE(raw)
            for case_id, raw in zip(case_ids, values, strict=True)
            if raw is not None
        }

    def commit(self, updates: Mapping[str, CaseVersion], next_offset: int, outgoing: bytes) -> None:
        """Store versions, offset and what is to be published (if anything) in one step.

        Raises
        ------
        TooLarge
            If what is to be published does not fit into a message; nothing is stored then.
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
        """Return what is not known to be published, in order."""
        return list(self._waiting().values())

    def published(self, next_offset: int) -> None:
        """Forget what was to be published, up to and with the batch that ends at an offset."""
        done = [each for each in self._waiting() if each <= next_offset]
        batch = WriteBatch(raw_mode=True)
        for each in done:
            batch.delete(_OUTBOX + each.to_bytes(8, "big"))
        with self._errors("write"):
            self._db.write(batch)  # unsynced: to publish again what was published is harmless
        for each in done:
            del self._waiting()[each]

    def _waiting(self) -> dict[int, Unpublished]:
        """Return the outbox by offset. It is read once: nobody else writes to it."""
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
        """Yield the version of every case, by key."""
        for key, value in self._scan(CASE_PREFIX):
            if not key.startswith(CASE_PREFIX):
                break
            yield _DECODE(value)

    def state_after(self, key: bytes, size: int) -> tuple[list[Pair], bool]:
        """Return the next pairs of the state after a key, about `size` bytes, and whether it ends.

        Parameters
        ----------
        key
            The last key that is known; empty to begin.
        """
        pairs: list[Pair] = []
        # The least key that is greater.
        for found, value in self._scan(key + b"\0" if key else _STATE[0]):
            if not found.startswith(_STATE):
                break
            if size <= 0:
                return pairs, False
            pairs.append((found, value))
            size -= len(found) + len(value)
        return pairs, True

    def load(self, pairs: Iterable[Pair]) -> None:
        """Take over pairs of a changelog; `settle` makes them last."""
        with self._errors("write"):
            self._db.write(_written(pairs))

    def settle(self, next_offset: int) -> None:
        """Declare the state to be that before an offset of the input."""
        batch = WriteBatch(raw_mode=True)
        batch.put(_OFFSET, next_offset.to_bytes(8, "big"))
        self._write(batch)

    def size(self) -> StoreSize:
        """Return what the database takes, as RocksDB estimates it."""

        def told(name: str) -> int:
            return int(self._db.property_int_value(f"rocksdb.{name}") or 0)

        memory = ("cur-size-all-mem-tables", "estimate-table-readers-mem")  # its own
        cases = max(told("estimate-num-keys") - _NOT_CASES, 0)
        return StoreSize(told("estimate-live-data-size"), sum(map(told, memory)), cases)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; another process may then open it."""
        # It writes out what is in memory: on a full disk in vain, and again as it opens.
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
            found.status()  # raises where the scan met damage: it would seem to end there

    def _write(self, batch: WriteBatch) -> None:
        if (manifest := self._manifest()) != self._recorded:
            batch.put(_MANIFEST, f"{manifest[1]} {manifest[0]}".encode())
            self._recorded = manifest
        with self._errors("write"):
            self._db.write(batch, self._synced)

    def _manifest(self) -> tuple[str, int]:
        """Return the name and size of RocksDB's list of its files."""
        try:
            name = (self._path / "CURRENT").read_text(encoding="ascii").strip()
            return name, (self._path / name).stat().st_size
        except (OSError, ValueError):
            return "", 0

    def _require_manifest(self, name: str, size: int) -> None:
        """Refuse a list of files that is shorter than it was when the last batch was written.

        RocksDB takes it for one that a crash cut off, and would begin without some of the files.
        """
        recorded = self._get(_MANIFEST)
        if recorded is not None:
            least, _, of = recorded.decode().partition(" ")
            if of == name and size < int(least):
                msg = f"store {self._path}: {name} must have {least} bytes or more; got {size}"
                raise StoreDamaged(msg)

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (StateError, GeneratorExit):
            raise
        except Exception as error:  # rocksdict raises nothing more special
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
        held = self._get(_IDENTITY)
        if held is None and self.next_offset is None:
            with self._errors("write"):
                self._db.put(_IDENTITY, identity)
        elif held != identity:
            msg = (
                f"store {self._path}: the state must be of '{identity.decode()}'; got "
                f"'{self.identity}'. Point state_dir elsewhere, or move this folder away to rebuild"
            )
            raise StateError(msg)


def _written(pairs: Iterable[Pair]) -> WriteBatch:
    batch = WriteBatch(raw_mode=True)
    for key, value in pairs:
        if value is None:
            batch.delete(key)
        else:
            batch.put(key, value)
    return batch
