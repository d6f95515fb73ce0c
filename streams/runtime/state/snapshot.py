"""Snapshots of the detector's counts, so that a restart need not read all deltas again."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from schemas.errors import StateError
from streams.core.counting.case_codes import REBUILD
from streams.core.counting.removed_cases import KeptCases
from streams.core.detection.detector import Detector
from streams.runtime.owner_only import owner_only_folder

__all__ = ["read_snapshot", "write_frozen", "write_snapshot"]

_FORMAT = 6


def write_snapshot(folder: Path, detector: Detector, *, topic: str, next_offset: int) -> None:
    """Write a snapshot of the detector, replacing an earlier one by rename.

    Parameters
    ----------
    folder
        Folder of the snapshot; its parent is created if missing.
    topic, next_offset
        Topic of the deltas, and its next offset.
    """
    write_frozen(folder, *detector.frozen(), topic=topic, next_offset=next_offset)


def write_frozen(
    folder: Path, kept: KeptCases, facts: Mapping[str, Any], *, topic: str, next_offset: int
) -> None:
    """Write the result of `Detector.frozen`, in any thread; else as `write_snapshot`."""
    fresh, old = folder.with_suffix(".new"), folder.with_suffix(".old")
    shutil.rmtree(fresh, ignore_errors=True)
    owner_only_folder(fresh)
    kept.rows().write_parquet(fresh / "cases.parquet")
    about = {"format": _FORMAT, "topic": topic, "next_offset": next_offset, "counted": facts}
    (fresh / "about.json").write_text(json.dumps(about), encoding="utf-8")
    if folder.exists():  # else `old` is the only complete snapshot, until `fresh` is renamed
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def read_snapshot(folder: Path, detector: Detector, *, topic: str) -> int:
    """Restore a new detector from a snapshot; return the next offset of the deltas, 0 without one.

    Raises
    ------
    StateError
        If the snapshot is of another topic or format, or cannot be read. Move the folder away:
        the detector then counts the deltas from their start.
    """
    # A crash between the two renames leaves the complete earlier snapshot under the other name.
    found = folder if folder.exists() else folder.with_suffix(".old")
    if not found.exists():
        return 0
    try:
        about: dict[str, Any] = json.loads((found / "about.json").read_text(encoding="utf-8"))
        rows = pl.read_parquet(found / "cases.parquet")
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        msg = f"snapshot {found}: must be readable; got {error}. Move it away to count anew"
        raise StateError(msg) from error
    if (about.get("format"), about.get("topic")) != (_FORMAT, topic):
        msg = (
            f"snapshot {found}: must be of format {_FORMAT} and topic {topic}; got "
            f"{about.get('format')} and {about.get('topic')}. "
        )
        raise StateError(msg + REBUILD)
    try:
        detector.restore(rows, about["counted"])
        next_offset: int = about["next_offset"]
    except (KeyError, TypeError, ValueError, AttributeError, pl.exceptions.PolarsError) as error:
        msg = f"snapshot {found}: must hold what one of format {_FORMAT} holds; got {error!r}. "
        raise StateError(msg + "Move it away to count anew") from error
    return next_offset
