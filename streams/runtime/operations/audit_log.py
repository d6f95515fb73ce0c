"""Append-only audit log of decisions in a file, each line chained to the previous one by a hash.

A changed, lost or inserted line breaks the chain. Write access to the file is enough to forge a
whole chain: so the hash of each entry is anchored outside the file, on the topic `pv.audit` where
a broker is configured, and `require_anchors` compares.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from schemas.audit_anchor import AuditAnchor
from schemas.decision import GENESIS, Assessment, AuditEntry, Decision, SignalState
from schemas.errors import InputError, StateError
from streams.core.alerts.assessment import assessments_after, require_logged_step, require_step
from streams.runtime.owner_only import owner_only_file

__all__ = ["AuditLog", "DecidedMeanwhile", "Repaired", "Verified"]


@dataclass(frozen=True, slots=True)
class Verified:
    """Content of a log whose chain is intact.

    Attributes
    ----------
    last_hash
        Hash of its last entry; zeros if it is empty.
    torn
        Bytes after the last whole line: an append that was cut off, and no entry.
    states
        State of each signal in its assessment.
    """

    entries: tuple[AuditEntry, ...]
    last_hash: str
    states: dict[str, SignalState]
    torn: bytes = b""


@dataclass(frozen=True, slots=True)
class Repaired:
    """Result of `AuditLog.repair`.

    Attributes
    ----------
    entries
        Number of entries now.
    n_bytes
        Length of the torn line.
    kept_in
        File that holds it now; None if it lacked only its newline and is an entry again.
    """

    entries: int
    n_bytes: int
    kept_in: Path | None


class DecidedMeanwhile(InputError):
    """Another decision on the signal was logged since the page of this one was opened."""


class AuditLog:
    """An audit log in one file; several processes may append to it.

    Parameters
    ----------
    path
        File of JSON lines; created by the first entry, for its owner only.
    anchor
        Keeps number and hash of each new entry outside the file, once it is synced.
    """

    def __init__(self, path: Path, anchor: Callable[[AuditAnchor], None] | None = None) -> None:
        self._path = path
        self._anchor = anchor

    @property
    def path(self) -> Path:
        """The file, whether or not it exists yet."""
        return self._path

    def decide(self, decision: Decision, at: datetime, *, seen: int | None = None) -> AuditEntry:
        """Append a decision, synced to disk before returning.

        Parameters
        ----------
        seen
            Number of the last entry about the signal that the decision takes into account; 0 if
            there was none. By default it is not compared.

        Raises
        ------
        DecidedMeanwhile
            If another entry about the signal came since.
        InputError
            If the signal's state does not allow it, or it lacks its reason.
        StateError
            If the log is broken: nothing is appended to a log that cannot be trusted, nor after a
            torn line.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        owner_only_file(self._path)
        with self._path.open("a+b") as file, _locked(file, fcntl.LOCK_EX):
            file.seek(0)
            known = self._check(file)
            if known.torn:
                msg = (
                    f"{self._path}, line {len(known.entries) + 1}: must end with a newline before "
                    f"an entry is appended; got a torn line of {len(known.torn)} bytes: run "
                    f"tocsin audit repair {self._path}"
                )
                raise StateError(msg)
            _require_seen(decision.signal_key, known.entries, seen)
            frm = known.states.get(decision.signal_key, SignalState.DETECTED)
            require_step(frm, decision)
            fields = {
                "number": len(known.entries) + 1,
                "at": at,
                "from": frm,
                "decision": decision,
                "previous_hash": known.last_hash,
            }
            unsigned = AuditEntry.model_validate({**fields, "hash": GENESIS})
            entry = unsigned.model_copy(update={"hash": _hash(unsigned)})
            file.write(entry.model_dump_json(by_alias=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if self._anchor is not None:
            self._anchor(AuditAnchor(number=entry.number, hash=entry.hash, at=entry.at))
        return entry

    def repair(self) -> Repaired | None:
        """Remove a torn last line, kept beside the log; return what was done, None if nothing.

        A torn line that lacks only its newline is an entry, and is completed.

        Raises
        ------
        InputError
            If there is no such file.
        StateError
            If a whole line is broken: that is no torn append, and stays as it is.
        """
        self._require_file()
        with self._path.open("r+b") as file, _locked(file, fcntl.LOCK_EX):
            known = self._check(file)
            if not known.torn:
                return None
            file.seek(0)
            kept = file.read()[: -len(known.torn)]
            completed = kept + known.torn + b"\n"
            try:
                self._check(BytesIO(completed))
            except StateError:
                aside: Path | None = self._set_aside(known.torn)
                file.truncate(len(kept))
            else:
                aside = None
                file.seek(len(completed) - 1)
                file.write(b"\n")
            file.flush()
            os.fsync(file.fileno())
        return Repaired(len(known.entries) + (aside is None), len(known.torn), aside)

    def _set_aside(self, torn: bytes) -> Path:
        name = f"{self._path.name}.torn-{hashlib.sha256(torn).hexdigest()[:16]}"
        aside = self._path.with_name(name)
        owner_only_file(aside)
        with aside.open("wb") as file:
            file.write(torn)
            file.flush()
            os.fsync(file.fileno())
        return aside

    def entries(self) -> tuple[AuditEntry, ...]:
        """Return every entry, after checking the log; none without a file.

        Raises
        ------
        StateError
            If the log is broken.
        """
        return self.verify().entries if self._path.is_file() else ()

    def steps(self, signal_key: str) -> list[AuditEntry]:
        """Return the decisions on a signal, in order; none without a file.

        Raises
        ------
        StateError
            If the log is broken.
        """
        return [entry for entry in self.entries() if entry.decision.signal_key == signal_key]

    def assessments(self) -> dict[str, Assessment]:
        """Return the assessment of every signal in the log; none without a file.

        Reads and checks the whole log: call it once for many alerts.

        Raises
        ------
        StateError
            If the log is broken.
        """
        return assessments_after(self.entries())

    def verify(self, last_hash: str | None = None) -> Verified:
        """Check every line, the chain, and every step.

        Parameters
        ----------
        last_hash
            Hash that must be in the log, kept earlier: proves that no entry up to it was changed.

        Raises
        ------
        InputError
            If there is no such file.
        StateError
            If it is broken; the message names the first line that is.
        """
        self._require_file()
        with (
            self._path.open("rb") as file,
            _locked(file, fcntl.LOCK_SH),
        ):  # waits for writers: no partial line
            verified = self._check(file)
        if last_hash not in (None, GENESIS, *(entry.hash for entry in verified.entries)):
            msg = (
                f"{self._path}: must hold the entry noted earlier; got none of hash {last_hash}: "
                "the log was written anew or cut short. Restore it from a backup"
            )
            raise StateError(msg)
        return verified

    def require_anchors(self, anchors: Iterable[AuditAnchor], where: str) -> int:
        """Compare the log with anchors kept outside it; return the number of the last anchor.

        Parameters
        ----------
        where
            Where they were kept, for the error message.

        Raises
        ------
        InputError
            If there is no such file.
        StateError
            If the log is broken, or an entry that was anchored is not in it as it was.
        """
        entries = self.verify().entries
        last = 0
        for anchor in anchors:
            found = entries[anchor.number - 1].hash if anchor.number <= len(entries) else "no entry"
            if found != anchor.hash:
                msg = (
                    f"{self._path}: entry {anchor.number} must have the hash {anchor.hash}, "
                    f"anchored in {where} at {anchor.at:%Y-%m-%d %H:%M}Z; got {found}: the log was "
                    "written anew or cut short. Restore it from a backup"
                )
                raise StateError(msg)
            last = max(last, anchor.number)
        return last

    def _require_file(self) -> None:
        if not self._path.is_file():
            msg = f"{self._path}: must be an audit log; got no file"
            raise InputError(msg)

    def _check(self, file: IO[bytes]) -> Verified:
        entries: list[AuditEntry] = []
        states: dict[str, SignalState] = {}
        last = GENESIS
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return Verified(tuple(entries), last, states, torn=line)
            entry = self._entry(number, line)
            key = entry.decision.signal_key
            self._require(number, entry.number == number, f"have the number {number}", entry.number)
            self._require(
                number, entry.previous_hash == last, f"follow {last}", entry.previous_hash
            )
            self._require(number, entry.hash == _hash(entry), "hash to what it says", entry.hash)
            frm = states.get(key, SignalState.DETECTED)
            self._require(number, entry.frm is frm, f"begin at {frm}", entry.frm)
            try:
                require_logged_step(frm, entry.decision)
            except InputError as error:
                msg = f"{self._path}, line {number}: {error}"
                raise StateError(msg) from error
            states[key] = entry.decision.to
            last = entry.hash
            entries.append(entry)
        return Verified(tuple(entries), last, states)

    def _entry(self, number: int, line: bytes) -> AuditEntry:
        try:
            entry = AuditEntry.model_validate_json(line)
        except ValidationError as error:
            reason = error.errors(include_url=False)[0]["msg"]
            msg = f"{self._path}, line {number}: must be an entry of an audit log; got {reason}"
            raise StateError(msg) from error
        # A byte that changes no value, such as a blank, is tampering too.
        as_written = entry.model_dump_json(by_alias=True).encode() + b"\n"
        self._require(number, line == as_written, "be written as this log writes it", "other bytes")
        return entry

    def _require(self, number: int, holds: bool, rule: str, got: object) -> None:
        if not holds:
            msg = (
                f"{self._path}, line {number}: must {rule}; got {got}: it was changed after it was "
                "written. Restore the log from a backup"
            )
            raise StateError(msg)


def _hash(entry: AuditEntry) -> str:
    fields = entry.model_dump(mode="json", by_alias=True, exclude={"hash"})
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _require_seen(key: str, entries: Iterable[AuditEntry], seen: int | None) -> None:
    """Raise `DecidedMeanwhile` if the last entry about a signal is not the one that was seen."""
    last = max((entry.number for entry in entries if entry.decision.signal_key == key), default=0)
    if seen is not None and seen != last:
        msg = (
            f"signal {key}: a decision must take the last entry about it into account; got entry "
            f"{seen}, and there is entry {last}: read it, then decide anew"
        )
        raise DecidedMeanwhile(msg)


@contextmanager
def _locked(file: IO[bytes], how: int) -> Iterator[None]:
    fcntl.flock(file, how)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
