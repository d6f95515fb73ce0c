"""RunVerdict on a run over files: which files were rejected, and for which reasons."""

import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from schemas.errors import InputError, RejectCode
from schemas.rejected import Rejected
from streams.cli.printable import printable
from streams.intake.foreign_content import describe_content

__all__ = ["NothingAccepted", "RunVerdict"]

_MOST_REASONS = 1_000  # distinct ones that are counted; a hostile file makes up more
_SHOWN = 3


class NothingAccepted(InputError):
    """Every report of a run was rejected. Compare the files with `tocsin schema report`."""


@dataclass
class _File:
    path: Path
    items: int = 0
    rejected: int = 0
    reasons: Counter[tuple[RejectCode | None, str]] = field(default_factory=Counter)


class RunVerdict:
    """Counts what was read and what was rejected, by file.

    Parameters
    ----------
    command
        Name of the command, for the error.
    """

    def __init__(self, command: str) -> None:
        self._command = command
        self._files: list[_File] = []

    @property
    def rejected(self) -> int:
        """Number of rejected items so far."""
        return sum(file.rejected for file in self._files)

    def begin(self, path: Path) -> None:
        """Begin a file; what follows is of it."""
        self._files.append(_File(path))

    def read(self, number: int) -> None:
        """Count items of the file: reports, links or notices, accepted or rejected."""
        self._files[-1].items += number

    def reject(self, rejected: Rejected) -> None:
        """Count a rejected item of the file, by its code and rule."""
        file = self._files[-1]
        file.rejected += 1
        reason = rejected.code, rejected.rule
        if reason in file.reasons or len(file.reasons) < _MOST_REASONS:
            file.reasons[reason] += 1

    def require_accepted(self) -> None:
        """Require that something was accepted, if there was anything to accept.

        Raises
        ------
        NothingAccepted
            If all was rejected, or archives have no row. It names the most frequent reasons, and
            what the files look like if they are of a foreign format.
        """
        if any(file.items > file.rejected for file in self._files):
            return
        empty = [file for file in self._files if not file.items and zipfile.is_zipfile(file.path)]
        if not (self.rejected or empty):
            return
        got = []
        if self.rejected:
            got.append(f"{self.rejected:,} rejected: {_most_frequent(self._files)}")
        got += [f"no row in {file.path.name}" for file in empty]
        msg = f"{self._command}: at least one report must be accepted; got {'; '.join(got)}"
        raise NothingAccepted(". ".join([msg, *filter(None, map(_looks, self._files))]))

    def remarks(self) -> list[str]:
        """Return a line for each file that was rejected as a whole, and one if most items were."""
        if not any(file.items > file.rejected for file in self._files):
            return []  # the error says it
        lines = []
        for file in self._files:
            if file.rejected and file.rejected == file.items:
                text = f"{file.path.name}: all {file.items:,} rejected: {_most_frequent([file])}"
                lines.append(". ".join(filter(None, [text, _looks(file)])))
        items = sum(file.items for file in self._files)
        if 2 * self.rejected > items:
            of_all = _most_frequent(self._files)
            lines.append(f"More than half rejected: {self.rejected:,} of {items:,}: {of_all}")
        return list(map(printable, lines))


def _most_frequent(files: list[_File]) -> str:
    reasons = sum((file.reasons for file in files), Counter[tuple[RejectCode | None, str]]())
    return ", ".join(f'{n:,} for "{rule}"' for (_, rule), n in reasons.most_common(_SHOWN))


def _looks(file: _File) -> str | None:
    if file.items > file.rejected or not file.rejected:
        return None
    looks = describe_content(file.path)
    return looks and f"{file.path.name} looks like {looks}"
