"""A file of SQLite in a format of ours: opened or refused, its transactions."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from schemas.errors import StateError
from streams.runtime.closable import Closable

__all__ = ["Database", "Layout"]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file of one kind holds.

    Attributes
    ----------
    kind
        What it is, with its article; errors say so.
    version
        Number of its format, as SQLite's `user_version`; 0 is an empty file.
    tables
        Statements that make what is missing.
    upgrades
        Statements to run before those, by the earlier format that they begin at.
    synchronous
        SQLite's setting: ``FULL`` keeps every transaction through a power cut.
    remedy
        What to do about one that is refused; errors end with it.
    """

    kind: str
    version: int
    tables: str
    upgrades: Mapping[int, str] = field(default_factory=dict)
    synchronous: str = "FULL"
    remedy: str = ""


class Database(Closable):
    """One file; several processes may have it open.

    Parameters
    ----------
    path
        The file; made if missing, for its owner alone to read.
    layout
        What it holds.

    Raises
    ------
    StateError
        If the file is none of this layout, or of a format that is not known. It is not open then.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        try:
            with ExitStack() as refused:
                self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
                refused.callback(self._db.close)
                self._prepare(path, layout)
                refused.pop_all()
        except sqlite3.DatabaseError as error:
            msg = f"{path}: must be {layout.kind} of Tocsin; got {error}{layout.remedy}"
            raise StateError(msg) from error

    def _prepare(self, path: Path, layout: Layout) -> None:
        self._db.execute(f"PRAGMA synchronous = {layout.synchronous}")
        (held,) = self._db.execute("PRAGMA user_version").fetchone()
        if held == layout.version:
            return
        if held and held not in layout.upgrades:
            msg = f"{path}: must be of format {layout.version}; got {held}{layout.remedy}"
            raise StateError(msg)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(
            f"BEGIN IMMEDIATE; {layout.upgrades.get(held, '')} {layout.tables} "
            f"PRAGMA user_version = {layout.version}; COMMIT;"
        )
        if Path(path).is_file():  # not one in memory
            Path(path).chmod(0o600)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
