"""Pages of the documentation, and the folder in which their commands run."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from schemas.report import Report
from streams.demo import background, story
from tests.support.console import Shell, commands_of, differs, files_of

__all__ = ["CHECKOUT", "KAFKA", "ROOT", "furnish", "outputs_of", "pages", "wrong_commands"]

ROOT = Path(__file__).resolve().parents[2]
KAFKA = "<!-- needs: kafka -->"
"""A page with this line is run against a broker, at `TOCSIN_BOOTSTRAP`."""
CHECKOUT = "<!-- needs: checkout -->"
"""A page with this line is run in a copy of the checkout, so that its commands may change it."""
_COPIED = (
    *("schemas", "detectors", "streams", "tests", "benchmarks", "docs", "requirements", ".ci"),
    *("pyproject.toml", "Makefile", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"),
)
_SECONDS = 600.0  # of one command: ten years of VAERS take a minute, on a busy machine three


def pages() -> list[Path]:
    """Return every page with commands, in order of its path."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [path for path in found if commands_of(path.read_text(encoding="utf-8"))]


def furnish(folder: Path, data: Path, page: str) -> None:
    """Put into a folder what a page names: archives, the demo's story, the checkout, its files."""
    if CHECKOUT in page:
        _copy_checkout(folder)
    for name, text in files_of(page).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for archive in [*data.glob("vaers/*.zip"), *data.glob("faers/*.zip")]:
        (folder / archive.name).symlink_to(archive)
    (folder / "examples").symlink_to(ROOT / "examples")
    items = [*background(), *(step.item for step in story())]
    items.sort(key=lambda item: item.latest_received if isinstance(item, Report) else item.received)
    for name, wanted in (("reports.jsonl", True), ("notices.jsonl", False)):
        lines = (
            item.model_dump_json(exclude_defaults=True)
            for item in items
            if isinstance(item, Report) is wanted
        )
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _copy_checkout(folder: Path) -> None:
    for name in _COPIED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, folder / name)


def outputs_of(page: str, shell: Shell, *, prefix: str | None = None) -> Iterator[tuple[int, str]]:
    """Run the commands of a page; yield the line of each and its output.

    Names that begin with `prefix` are given with that of the default settings.
    """
    ours = re.compile(rf"\b{re.escape(prefix)}(?=[a-z])") if prefix else None
    for command in commands_of(page):
        output, code = shell.run(command.text, seconds=_SECONDS)
        if code in (126, 127):
            msg = f"line {command.line}: {command.text}: must be there to run; got {output}"
            raise AssertionError(msg)
        # A progress bar leaves an empty line where there is no terminal to draw it on.
        output = output.lstrip("\n")
        yield command.line, ours.sub("pv.", output) if ours else output


def wrong_commands(page: str, shell: Shell, *, prefix: str | None = None) -> list[str]:
    """Run the commands of a page; return each whose output is not that of the page."""
    expected = {command.line: command for command in commands_of(page)}
    wrong = []
    for line, output in outputs_of(page, shell, prefix=prefix):
        missing = differs(expected[line].expected, output)
        if missing is not None:
            wrong.append(f"line {line}: $ {expected[line].text}\nlacks: {missing}\ngot:\n{output}")
    return wrong
