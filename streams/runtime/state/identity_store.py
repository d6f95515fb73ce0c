"""State of the link stage: every case, the cases that share an identifier, and the next offsets.

It can be rebuilt from `pv.reports`, which also holds the published links.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
from rocksdict import WriteBatch, WriteOptions

from schemas.errors import StateError
from streams.core.duplicates.known_cases import KnownCase, key_changes
from streams.runtime.state.rocksdb import open_database

__all__ = ["IdentityStore"]

# First bytes of the keys. A key of an identifier holds no zero byte, so one ends its prefix.
_CASE, _SHARED, _LINKED = b"c", b"k", b"l"
_OFFSETS, _OUTBOX, _IDENTITY, _SETTLED = b"o", b"x", b"i", b"s"
_FORMAT = 1  # version of the stored values; any other is refused
_NUL = b"\0"


class IdentityStore:
    """A `streams.core.duplicates.exact.IdentityIndex` on disk, one RocksDB database.

    A batch is one synced write: cases, offsets and links to publish are all stored, or none is.

    Parameters
    ----------
    path
        Folder of the database; created if missing.
    identity
        Topic of the state.

    Raises
    ------
    StateError
        If it does not open, or holds the state of another topic or format.
    """

    def __init__(self, path: Path, identity: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(KnownCase).decode
        try:
            self._db = open_database(path)
        except Exception as error:  # rocksdict raises nothing more specific
            msg = f"store {path}: the database must open; got {error}"
            raise StateError(msg) from error
        self._synced = WriteOptions()
        self._synced.sync = True
        stored, expected = self._db.get(_IDENTITY), f"{_FORMAT} {identity}".encode()
        if stored is None:
            self._db.put(_IDENTITY, expected)
        elif stored != expected:
            self._db.close()
            msg = (
                f"store {path}: the state must be of '{expected.decode()}'; got "
                f"'{stored.decode(errors='replace')}'. Point state_dir elsewhere, or move this "
                "folder away to rebuild"
            )
            raise StateError(msg)

    @property
    def offsets(self) -> dict[int, int]:
        """Return the next offset of each partition; empty before the first commit."""
        raw = self._db.get(_OFFSETS)
        return {} if raw is None else msgspec.msgpack.decode(raw, type=dict[int, int])

    @property
    def settled(self) -> bool:
        """Return whether the links of all cases read so far are decided."""
        return self._db.get(_SETTLED) is not None

    def cases(self, case_ids: Sequence[str]) -> Mapping[str, KnownCase]:
        """Return the stored cases of these ids."""
        keys: list[Any] = [_CASE + case_id.encode() for case_id in case_ids]
        values = cast(list[bytes | None], self._db.get(keys))
        return {
            case_id: self._decode(raw)
            for case_id, raw in zip(case_ids, values, strict=True)
            if raw is not None
        }

    def sharing(self, key: str, most: int) -> set[str]:
        """Return the cases that have a key, at most `most` of them."""
        prefix = _SHARED + key.encode() + _NUL
        found: set[str] = set()
        for entry in self._keys(prefix):
            found.add(entry[len(prefix) :].decode())
            if len(found) == most:
                break
        return found

    def commit(
        self,
        updates: Mapping[str, KnownCase],
        offsets: Mapping[int, int],
        links: Sequence[bytes] = (),
        *,
        settled: bool,
    ) -> None:
        """Store cases, next offsets, and the links to publish (if any) atomically."""
        batch = WriteBatch(raw_mode=True)
        before = self.cases(list(updates))
        for case_id, case in updates.items():
            name = case_id.encode()
            removed, added = key_changes(before.get(case_id), case)
            for key in removed:
                batch.delete(_SHARED + key.encode() + _NUL + name)
            for key in added:
                batch.put(_SHARED + key.encode() + _NUL + name, b"")
            if case.version.links:
                batch.put(_LINKED + name, b"")
            batch.put(_CASE + name, self._encode(case))
        batch.put(_OFFSETS, msgspec.msgpack.encode({**self.offsets, **offsets}))
        if settled:
            batch.put(_SETTLED, b"")
        else:
            batch.delete(_SETTLED)
        if links:
            batch.put(_OUTBOX, msgspec.msgpack.encode([*self.unpublished(), *links]))
        self._db.write(batch, self._synced)

    def unpublished(self) -> list[bytes]:
        """Return the links of the outbox, which may not be published yet, in order."""
        raw = self._db.get(_OUTBOX)
        return [] if raw is None else msgspec.msgpack.decode(raw, type=list[bytes])

    def published(self) -> None:
        """Delete the outbox."""
        batch = WriteBatch(raw_mode=True)
        batch.delete(_OUTBOX)
        self._db.write(batch)  # unsynced: publishing again is harmless

    def linkable(self, size: int) -> Iterator[list[str]]:
        """Yield, in parts, every case that shares an identifier or has a link."""
        part: list[str] = []
        for case_id in self._linkable():
            part.append(case_id)
            if len(part) >= size:
                yield part
                part = []
        if part:
            yield part

    def close(self) -> None:
        """Close the database; another process may then open it."""
        self._db.close()

    def _linkable(self) -> Iterable[str]:
        for entry in self._keys(_LINKED):
            yield entry[len(_LINKED) :].decode()
        before: tuple[bytes, bytes] = (b"", b"")
        yielded = False  # whether the case before shares its key and was yielded
        for entry in self._keys(_SHARED):
            key, _, name = entry.partition(_NUL)
            if key == before[0]:
                if not yielded:
                    yield before[1].decode()
                yield name.decode()
            yielded = key == before[0]
            before = (key, name)

    def _keys(self, prefix: bytes) -> Iterator[bytes]:
        for key in self._db.keys(from_key=prefix):
            if not cast(bytes, key).startswith(prefix):
                break
            yield cast(bytes, key)
