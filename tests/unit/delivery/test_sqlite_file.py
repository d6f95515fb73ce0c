"""Files of another kind or format are refused and closed again."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from schemas.errors import StateError
from streams.delivery.api.read_model import ReadModel
from streams.delivery.outbox import Outbox
from tests.support.alerts import KEY


def test_a_file_of_another_kind_is_no_outbox(tmp_path: Path) -> None:
    path, other = strange_files(tmp_path)
    with pytest.raises(StateError, match="must be an outbox of Tocsin") as refusal:
        Outbox(path, key=KEY)
    with pytest.raises(StateError, match="must be of format 4; got 9") as another:
        Outbox(other, key=KEY)
    assert not is_open(path, refusal)
    assert not is_open(other, another)


def test_a_file_of_another_kind_is_no_read_model(tmp_path: Path) -> None:
    path, other = strange_files(tmp_path)
    with pytest.raises(StateError, match="must be a read model of Tocsin") as refusal:
        ReadModel(path, key=KEY)
    with pytest.raises(StateError, match=r"must be of format \d+; got 9: delete it") as another:
        ReadModel(other, key=KEY)
    assert not is_open(path, refusal)
    assert not is_open(other, another)


def strange_files(folder: Path) -> tuple[Path, Path]:
    """A file that is not a database, and a database of an unknown format."""
    path, other = folder / "text.db", folder / "other.db"
    path.write_bytes(b"not a database at all" * 100)
    with closing(sqlite3.connect(other)) as db:
        db.execute("PRAGMA user_version = 9")
    return path, other


def is_open(path: Path, refusal: pytest.ExceptionInfo[StateError]) -> bool:
    """Return whether this process has the file open, while the exception is still referenced."""
    assert refusal.value.__traceback__ is not None
    return any(os.path.realpath(each) == str(path) for each in Path("/proc/self/fd").iterdir())
