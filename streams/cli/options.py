"""What several commands read from their arguments: text turned into values, in one place."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from detectors.rules import RuleSet, load_rules
from schemas.errors import InputError
from streams.topology.windows import WindowSpec

__all__ = [
    "DEFAULT_RULES",
    "RulesOption",
    "WatchOption",
    "WindowOption",
    "interval_days",
    "parse_day",
    "rules_from",
    "tomorrow",
    "windows_from",
    "writable",
]

DEFAULT_RULES = "mhra,ema,ic"

RulesOption = Annotated[
    str,
    typer.Option(
        help="Signal rules, comma-separated: mhra, ema, ema2006, ic, or paths of TOML files."
    ),
]
WatchOption = Annotated[
    list[str] | None,
    typer.Option(
        "--additional-monitoring",
        metavar="DRUG",
        help="A drug that the ema rule flags from 3 cases on instead of 5; may be repeated.",
    ),
]
WindowOption = Annotated[
    list[str] | None,
    typer.Option(
        "--window",
        help="cumulative, month, quarter or sliding:DAYS; may be repeated. Default cumulative.",
    ),
]


def rules_from(text: str, additional_monitoring: Iterable[str] | None = None) -> RuleSet:
    """Load the rules that `--rules` names."""
    names = [part.strip() for part in text.split(",") if part.strip()]
    watched = sorted(set(additional_monitoring or ()))
    return load_rules(names, lists={"additional_monitoring": watched} if watched else None)


def windows_from(texts: list[str] | None) -> list[WindowSpec]:
    """Read the windows that `--window` names, each once."""
    return list(dict.fromkeys(WindowSpec.parse(text) for text in texts or ["cumulative"]))


def interval_days(text: str) -> int:
    """Read an interval such as `1d` or `2w` as days.

    >>> interval_days("2w")
    14
    """
    match = re.fullmatch(r"([1-9]\d{0,4})([dw])", text)
    if match is None:
        msg = f"--every: a number of days or weeks such as 1d or 2w must be given; got {text!r}"
        raise InputError(msg)
    return int(match[1]) * (7 if match[2] == "w" else 1)


def parse_day(text: str | None, option: str) -> date | None:
    """Read an ISO date."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        msg = f"{option}: a date such as 2024-05-31 must be given; got {text!r}"
        raise InputError(msg) from error


def tomorrow() -> date:
    """Return the latest day a report can honestly bear: tomorrow, since days begin in the east."""
    return datetime.now(UTC).date() + timedelta(days=1)


def writable(path: Path | None) -> Path | None:
    """Return the path if a file can be made there; found out before the work, not after it."""
    if path is not None and not path.resolve().parent.is_dir():
        msg = f"{path}: the folder to write into must exist; got no folder {path.resolve().parent}"
        raise InputError(msg)
    return path
