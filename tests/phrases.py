"""Refuse phrases that the project does not use: `python -m tests.phrases`, part of `make check`.

`phrases.toml` beside this module holds them, what to write, and each exception with its reason.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Hit", "Phrase", "hits_in", "read_phrases"]

ROOT = Path(__file__).resolve().parents[1]
SUFFIXES = {".py", ".md", ".toml", ".yaml"}


class Phrase(NamedTuple):
    """A phrase to refuse, what to write, and the files that may keep it."""

    pattern: re.Pattern[str]
    write: str
    exceptions: frozenset[str]


class Hit(NamedTuple):
    """A place where a phrase stands."""

    line: int
    found: str
    write: str


def read_phrases(text: str) -> list[Phrase]:
    """Read the phrases; an exception must give its reason.

    Raises
    ------
    ValueError
        If an exception has none.
    """
    found = []
    for entry in tomllib.loads(text)["phrases"]:
        exceptions = entry.get("exceptions", [])
        for each in exceptions:
            if not each.get("reason"):
                msg = f"phrases.toml: an exception must give its reason; got {each}"
                raise ValueError(msg)
        pattern = re.compile(entry["pattern"], re.IGNORECASE)
        files = frozenset(each["file"] for each in exceptions)
        found.append(Phrase(pattern, entry["write"], files))
    return found


def hits_in(text: str, phrases: list[Phrase], *, file: str = "") -> Iterator[Hit]:
    """Yield every place of a text with a phrase; one that a line break splits is found too."""
    # As one line of the same length: margins and comment signs become spaces.
    flat = re.sub(r"\n[ \t]*(?:# ?|\* |> )?", lambda margin: " " * len(margin[0]), text)
    for phrase in phrases:
        if file in phrase.exceptions:
            continue
        pattern = re.compile(phrase.pattern.pattern.replace(" ", r"\s+"), re.IGNORECASE)
        for match in pattern.finditer(flat):
            line = text.count("\n", 0, match.start()) + 1
            yield Hit(line, " ".join(match[0].split()), phrase.write)


def main() -> int:
    """Print every hit; return 1 if there is one."""
    phrases = read_phrases(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    number = 0
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix not in SUFFIXES or name == "tests/phrases.toml" or not path.is_file():
            continue
        for hit in hits_in(path.read_text(encoding="utf-8"), phrases, file=name):
            print(f"{name}:{hit.line}: {hit.found!r}: write {hit.write}")
            number += 1
    print(f"{number} phrases to replace" if number else "phrases: none to replace")
    return 1 if number else 0


if __name__ == "__main__":
    sys.exit(main())
