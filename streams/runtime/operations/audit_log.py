"""The audit log: a file of decisions that is only ever added to, each line chained to the last.

A changed, lost or inserted line breaks the chain. Whoever could write the file could write the
whole chain anew: note the last hash elsewhere (`verify` prints it), and give it to `verify` again.
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
from streams.core.alerts.assessment import assessments_after, require_step

__all__ = ["AuditLog", "Verified"]


@dataclass(frozen=True, slots=True)
class Verified:
    """What a log holds that was found whole.

    Attributes
    ----------
    last_hash
        Of its last entry; zeros if it is empty.
    states
        Where the assessment of each signal stands.
    """

    entries: tuple[AuditEntry, ...]
    last_hash: str
    states: dict[str, SignalState]


class AuditLog:
    """One log in one file; several processes may add to it.

    Parameters
    ----------
    path
        JSON lines; made on the first entry.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def decide(self, decision: Decision, at: datetime) -> AuditEntry:
        """Log a decision, on disk before it returns.

        Raises
        ------
        InputError
            If it may not follow the state the signal is in, or lacks its reason.
        StateError
            If the log is broken: nothing is added to a log that cannot be trusted.
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

    def steps(self, signal_key: str) -> list[AuditEntry]:
        """Return what was decided of a signal, in order; nothing was decided without a file.

        Raises
        ------
        StateError
            If the log is broken.
        """
        entries = self.verify().entries if self._path.is_file() else ()
        return [entry for entry in entries if entry.decision.signal_key == signal_key]

    def assessments(self) -> dict[str, Assessment]:
        """Return where every signal stands that is in it; nothing was decided without a file.

        Reads and checks all of it: to be asked once for many alerts.

        Raises
        ------
        StateError
            If the log is broken.
        """
        return assessments_after(self.verify().entries) if self._path.is_file() else {}

    def verify(self, last_hash: str | None = None) -> Verified:
        """Check every line, the chain, and every step.

        Parameters
        ----------
        last_hash
            Hash that must be in the log, noted earlier: shows that nothing up to there was
            written anew.

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
        with self._path.open("rb") as file, _locked(file, fcntl.LOCK_SH):  # no line is half written
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
                require_step(frm, entry.decision)
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
        # A byte that changes no value, such as a blank, was still put there by somebody.
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
