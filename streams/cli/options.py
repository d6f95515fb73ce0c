"""Options that several commands share, and the parsers of their values."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from detectors.gamma_mixture import GammaMixture
from detectors.rules import PRESETS, RuleSet, lists_asked, load_rules
from schemas.errors import InputError
from streams.cli.negative_controls import controls_from
from streams.core.cases.strata import AgeBands, default_age_bands
from streams.core.counting.windows import WindowSpec
from streams.core.signals.realert_policy import load_policy
from streams.runtime.detector_settings import DEFAULT_RULES, DEFAULT_SCREENING, DetectorSettings

__all__ = [
    "DEFAULT_RULES",
    "DEFAULT_SCREENING",
    "NO_SCREENING",
    "AdjustedPriorOption",
    "AgeBandsOption",
    "ConfigOption",
    "DetectorChoice",
    "ListOption",
    "MappingOption",
    "PolicyOption",
    "PriorOption",
    "RefitOption",
    "ReleaseOption",
    "RulesOption",
    "ScreeningOption",
    "TestBySexOption",
    "WindowOption",
    "adjusted_prior_from",
    "both_rules_from",
    "detector_from",
    "interval_days",
    "lists_from",
    "parse_day",
    "prior_from",
    "require_apart",
    "rules_from",
    "tomorrow",
    "windows_from",
    "writable",
]

NO_SCREENING = "none"

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE.toml",
        help="Settings file; by default tocsin.toml in this directory. Environment variables "
        "TOCSIN_... override it, and flags override both.",
    ),
]
RulesOption = Annotated[
    str | None,
    typer.Option(
        metavar="RULE,...",
        show_default=DEFAULT_RULES,
        help=f"Rules of the alarm, comma-separated: {', '.join(PRESETS)}, or paths of TOML files.",
    ),
]
ScreeningOption = Annotated[
    str | None,
    typer.Option(
        show_default=DEFAULT_SCREENING,
        metavar="RULE,...",
        help="Wider rules, likewise, whose signals have the grade screening; none for no such "
        "rules. A rule that --rules names too is the alarm's.",
    ),
]
ListOption = Annotated[
    list[str] | None,
    typer.Option(
        "--list",
        metavar="NAME=FILE",
        help="A list that the rules refer to (important_events, additional_monitoring, or your "
        "own): a text file with one name per line; may be repeated.",
    ),
]
PolicyOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.toml",
        help="Re-alert policy: the changes of a signal that are published. Keys: "
        "docs/consume/alert-by-example.md.",
    ),
]
AgeBandsOption = Annotated[
    str | None,
    typer.Option(
        show_default=default_age_bands().text,
        metavar="YEARS,...",
        help="Upper end of each age band of the strata but the last. Changing them on Kafka needs "
        "tocsin state rebuild --detector.",
    ),
]
TestBySexOption = Annotated[
    bool | None,
    typer.Option(
        "--test-by-sex/--test-by-age",
        help="Compare cases in the anytime-valid test within age band and sex, not age band alone.",
    ),
]
PriorOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.json",
        help="Prior of the EBGM, from tocsin fit; required by rules such as eb05.",
    ),
]
AdjustedPriorOption = Annotated[
    Path | None,
    typer.Option(
        "--prior-adjusted",
        metavar="FILE.json",
        help="Prior of the EBGM within strata, from tocsin fit --expected expected_adjusted; "
        "required by rules on eb05_adjusted and the like.",
    ),
]
RefitOption = Annotated[
    str | None,
    typer.Option(
        metavar="INTERVAL",
        help="Refit the priors to the counts at this interval of event time, such as 90d.",
    ),
]
WindowOption = Annotated[
    list[str] | None,
    typer.Option(
        "--window",
        metavar="WINDOW",
        help="cumulative (the default), month, quarter or sliding:DAYS; may be repeated.",
    ),
]


@dataclass(frozen=True, slots=True)
class DetectorChoice:
    """Arguments of a detector, read from its settings.

    Attributes
    ----------
    options
        The other arguments of `streams.core.detection.detector.Detector`, by name.
    """

    windows: list[WindowSpec]
    rules: RuleSet
    options: dict[str, Any]


def detector_from(settings: DetectorSettings) -> DetectorChoice:
    """Read the files that the settings of a detector name, before anything is opened."""
    refit = settings.refit
    return DetectorChoice(
        windows=windows_from(list(settings.windows)),
        rules=rules_from(settings.rules, settings.screening, lists_from(list(settings.lists))),
        options={
            "policy": load_policy(settings.policy),
            "prior": prior_from(settings.prior),
            "adjusted_prior": adjusted_prior_from(settings.prior_adjusted),
            "refit_every": None if refit is None else interval_days(refit, "--refit"),
            "age_bands": AgeBands.parse(settings.age_bands),
            "test_by_sex": settings.test_by_sex,
            "controls": controls_from(settings.negative_controls),
        },
    )


def rules_from(
    rules: str, screening: str, lists: Mapping[str, Sequence[str]] | None = None
) -> RuleSet:
    """Load the rules that `--rules` and `--screening` name."""
    return load_rules(_rule_names(rules), lists, screening=_screening_names(screening))


def both_rules_from(
    current: tuple[str, str], proposed: tuple[str, str], lists: Mapping[str, Sequence[str]]
) -> tuple[RuleSet, RuleSet]:
    """Load two sets of rules, each of an alarm and a screening.

    A list goes to the sets that refer to it.
    """
    ours, theirs = (
        (_rule_names(rules), _screening_names(screening))
        for rules, screening in (current, proposed)
    )
    of_ours, of_theirs = (lists_asked([*rules, *wider]) for rules, wider in (ours, theirs))
    # A list that neither refers to goes to both, so that loading refuses it.
    return (
        _with_lists(ours, lists, of_theirs - of_ours),
        _with_lists(theirs, lists, of_ours - of_theirs),
    )


def _with_lists(
    names: tuple[list[str], list[str]],
    lists: Mapping[str, Sequence[str]],
    left_out: Collection[str],
) -> RuleSet:
    rules, screening = names
    kept = {name: found for name, found in lists.items() if name not in left_out}
    return load_rules(rules, kept, screening=screening)


def _rule_names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _screening_names(text: str) -> list[str]:
    names = _rule_names(text)
    return [] if names == [NO_SCREENING] else names


def lists_from(texts: list[str] | None) -> dict[str, list[str]]:
    """Read the files that `--list` names."""
    lists: dict[str, list[str]] = {}
    for text in texts or ():
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            msg = f"--list: NAME=FILE must be given; got {text!r}"
            raise InputError(msg)
        try:
            lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            msg = f"--list {name}: {path} must be a readable text file; got {error}"
            raise InputError(msg) from error
        lists[name] = [line.strip() for line in lines if line.strip()]
    return lists


def prior_from(path: Path | None) -> GammaMixture | None:
    """Read the file that `--prior` names."""
    return _prior(path, "--prior", None)


def adjusted_prior_from(path: Path | None) -> GammaMixture | None:
    """Read the file that `--prior-adjusted` names."""
    return _prior(path, "--prior-adjusted", "expected_adjusted")


def _prior(path: Path | None, option: str, fitted_to: str | None) -> GammaMixture | None:
    """Read a prior; one without facts of a fit, from the literature say, may be of any counts."""
    if path is None:
        return None
    try:
        prior = GammaMixture.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        problem = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        msg = f"{option}: {path} must be a prior written by tocsin fit; got {problem}"
        raise InputError(msg) from error
    if prior.fit is not None and prior.fit.expected != fitted_to:
        with_option = "without --expected" if fitted_to is None else f"--expected {fitted_to}"
        msg = (
            f"{option}: {path} must be fitted to {fitted_to or 'crude expected counts'}, by tocsin "
            f"fit {with_option}; got one fitted to {prior.fit.expected or 'crude expected counts'}"
        )
        raise InputError(msg)
    return prior


def windows_from(texts: list[str] | None) -> list[WindowSpec]:
    """Parse the windows that `--window` names, without repetitions."""
    return list(dict.fromkeys(WindowSpec.parse(text) for text in texts or ["cumulative"]))


def interval_days(text: str, option: str = "--every") -> int:
    """Read an interval such as `1d` or `2w` as days.

    >>> interval_days("2w")
    14
    """
    match = re.fullmatch(r"([1-9]\d{0,4})([dw])", text)
    if match is None:
        msg = f"{option}: a number of days or weeks such as 1d or 2w must be given; got {text!r}"
        raise InputError(msg)
    return int(match[1]) * (7 if match[2] == "w" else 1)


MappingOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.toml",
        help="Read any CSV or Parquet file by this mapping file; see tocsin map init.",
    ),
]
ReleaseOption = Annotated[
    str | None,
    typer.Option(
        "--release",
        metavar="DATE",
        help="Day of the release that VAERS archives hold; by default the date of their members.",
    ),
]


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
    """Return tomorrow in UTC, the latest valid day of receipt: days begin in the east."""
    return datetime.now(UTC).date() + timedelta(days=1)


def require_apart(sources: Iterable[Path], outputs: Iterable[Path | None]) -> None:
    """Refuse a path that is given twice; above all a source that would be overwritten."""
    used = set(map(_real, sources))
    for path in outputs:
        if path is not None:
            if _real(path) in used:
                msg = f"{path}: a file to write must be another than every source and output"
                raise InputError(msg)
            used.add(_real(path))


def writable(path: Path | None) -> Path | None:
    """Return the path if its folder exists; checked before the work, not after it."""
    if path is not None and not (folder := _real(path).parent).is_dir():
        msg = f"{path}: the folder to write into must exist; got no folder {folder}"
        raise InputError(msg)
    return path


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except RuntimeError as error:  # of links in a circle
        msg = f"{path}: must be a file; got a link to itself"
        raise InputError(msg) from error
