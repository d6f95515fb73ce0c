"""Writes snapshots of the detector in a background thread: millions of cases take seconds.

The state is copied in the detector's thread (`Detector.frozen`), at an offset whose alerts are
published; then it is written, one snapshot at a time. A failure leaves the previous snapshot, which
only makes a restart longer. So only repeated failures end the detector.
"""

import logging
import time
from pathlib import Path

import polars as pl

from schemas.errors import StateError
from streams.core.detection.detector import Detector
from streams.runtime.background import BackgroundTask
from streams.runtime.observability.observer import Observer
from streams.runtime.state.snapshot import write_frozen

__all__ = ["SnapshotWriter"]

_LOG = logging.getLogger(__name__)
_FAILURES = 3  # in a row before it gives up: a disk is rarely full for as long


class SnapshotWriter:
    """Writes the snapshots of one detector.

    Parameters
    ----------
    folder, topic
        See `streams.runtime.state.snapshot.write_snapshot`.
    observer
        Receives the outcome of each snapshot, on the thread of the detector.
    """

    def __init__(self, folder: Path, topic: str, observer: Observer) -> None:
        self._folder, self._topic, self._observer = folder, topic, observer
        self._task: BackgroundTask[None] | None = None
        self._began = 0.0
        self._failures = 0  # in a row

    @property
    def busy(self) -> bool:
        """Return whether a snapshot is being written, or its outcome is not collected."""
        return self._task is not None

    def begin(self, detector: Detector, next_offset: int) -> None:
        """Begin to write the present state, unless the previous snapshot is still being written.

        Raises
        ------
        StateError
            See `collect`.
        """
        self.collect()
        if self.busy:
            _LOG.warning(
                "the previous snapshot is still being written", extra={"path": str(self._folder)}
            )
            return
        kept, facts = detector.frozen()

        def write() -> None:
            write_frozen(self._folder, kept, facts, topic=self._topic, next_offset=next_offset)

        self._began = time.monotonic()
        self._task = BackgroundTask("tocsin-snapshot", write)

    def collect(self) -> None:
        """Record the outcome of the snapshot that is being written, if it has ended.

        Raises
        ------
        StateError
            If several in a row could not be written: make room on the disk of `state_dir`, or
            give the right to write there. Nothing is lost; a start goes on where it stopped.
        """
        if self._task is None or not self._task.wait(0.0):
            return
        task, self._task = self._task, None
        seconds = time.monotonic() - self._began
        try:
            task.result()
        except (OSError, pl.exceptions.PolarsError) as error:
            self._failures += 1
            self._observer.snapshot_finished("failed", seconds)
            why = " ".join(str(error).split())
            _LOG.warning("snapshot not written", extra={"path": str(self._folder), "error": why})
            if self._failures >= _FAILURES:
                msg = (
                    f"snapshot {self._folder}: must be written now and then; {self._failures} in "
                    f"a row failed, the last: {why}. Make room on the disk of state_dir and start "
                    "again; nothing is lost"
                )
                raise StateError(msg) from error
        else:
            self._failures = 0
            self._observer.snapshot_finished("written", seconds)

    def finish(self, detector: Detector | None = None, next_offset: int | None = None) -> None:
        """Wait for the snapshot that is being written; then write a last one of `detector`, if any.

        A failure is only logged: the counts can be restored from the topics.
        """
        try:
            self._wait()
            if detector is not None and next_offset is not None:
                self.begin(detector, next_offset)
                self._wait()
        except StateError as error:
            _LOG.warning("the last snapshot is not written", extra={"error": str(error)})

    def _wait(self) -> None:
        while self._task is not None:
            self._task.wait(1.0)
            self.collect()
