"""Append-only audit log of decisions in a file, each line chained to the previous one by a hash.

A changed, lost or inserted line breaks the chain. Write access to the file is enough to forge a
whole chain: keep the last hash elsewhere (`verify` prints it), and pass it to `verify` later.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from schemas.decision import GENESIS, Assessment, AuditEntry, Decision, SignalState
from schemas.errors import InputError, StateError
from streams.core.alerts.assessment import assessments_after, require_logged_step, require_step

__all__ = ["AuditLog", "Verified"]


@dataclass(frozen=True, slots=True)
class Verified:
    """Content of a log whose chain is intact.

    Attributes
    ----------
    last_hash
        Hash of its last entry; zeros if it is empty.
    states
        State of each signal in its assessment.
    """

    entries: tuple[AuditEntry, ...]
    last_hash: str
    states: dict[str, SignalState]


class AuditLog:
    """An audit log in one file; several processes may append to it.

    Parameters
    ----------
    path
        File of JSON lines; created by the first entry.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def decide(self, decision: Decision, at: datetime) -> AuditEntry:
        """Append a decision, synced to disk before returning.

        Raises
        ------
        InputError
            If the signal's state does not allow it, or it lacks its reason.
        StateError
            If the log is broken: nothing is appended to a log that cannot be trusted.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b") as file, _locked(file, fcntl.LOCK_EX):
            file.seek(0)
            known = self._check(file)
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
        return entry

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
        if not self._path.is_file():
            msg = f"{self._path}: must be an audit log; got no file"
            raise InputError(msg)
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

    def _check(self, file: IO[bytes]) -> Verified:
        entries: list[AuditEntry] = []
        states: dict[str, SignalState] = {}
        last = GENESIS
        for number, line in enumerate(file, start=1):
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


@contextmanager
def _locked(file: IO[bytes], how: int) -> Iterator[None]:
    fcntl.flock(file, how)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
