"""Origin of a case, and the completeness of its report."""

from functools import lru_cache
from math import prod
from typing import NamedTuple

from schemas.report import Report
from schemas.visible_text import visible
from schemas.vocabulary import Qualification, ReporterKind, ReportType, Sex
from streams.core.cases.strata import UNKNOWN, region_of

__all__ = [
    "DOSE",
    "INDICATION",
    "ONSET",
    "OUTCOME",
    "PENALTIES",
    "Codings",
    "Origin",
    "completeness",
    "parse_origin",
    "source_of",
]

_UNIT = "\x1f"  # separates the parts of an origin; no part contains it
_MOST_SOURCES = 100_000  # cached [sources]
_MOST_CODINGS = 8  # of one report: nobody needs more, and origins are cached by their text

# Bound to a module name: looking it up in its class costs more than comparing it.
_NO_SEX = Sex.UNKNOWN


class Origin(NamedTuple):
    """Source of a case.

    Attributes
    ----------
    source
        The sender of the report, else the system that it came from.
    by_professional
        Whether its primary source is a health professional, as the report says.
    country
        ISO 3166-1 alpha-2 of the occurrence, else of the reporter; empty if neither is stated.
    sender_stated
        Whether `source` is the sender; else nobody knows how many senders the system stands for.
    dictionaries
        Dictionaries that its reactions are coded in, each with its version where one is stated,
        such as ``MedDRA 27.0``; sorted, the first 8 if there are more.
    """

    source: str
    by_professional: bool
    country: str
    sender_stated: bool = True
    dictionaries: tuple[str, ...] = ()


Codings = tuple[str | None, ...]
"""Dictionaries as reactions state them, each followed by its version."""


@lru_cache(maxsize=_MOST_SOURCES)
def _source(
    sender: str | None,
    system: str,
    report_type: ReportType,
    kind: ReporterKind,
    qualification: Qualification,
    country: str | None,
) -> tuple[str, str, int]:
    """Return the result of `source_of` for a report that states no dictionary."""
    by_professional = qualification not in (Qualification.CONSUMER, Qualification.LAWYER)
    name = " ".join(visible(sender or "").split())
    marks = ("p" if by_professional else "") + ("" if name else "u")
    stated = _COUNTRY if country else 0
    if kind is not ReporterKind.UNKNOWN or qualification is not Qualification.CONSUMER:
        stated |= _REPORTER
    if report_type is not ReportType.UNKNOWN:
        stated |= _TYPE
    origin = _UNIT.join((country or "", marks, name or " ".join(visible(system).split())))
    return origin, region_of(country), stated


def _labels(codings: Codings) -> list[str]:
    """Return distinct dictionaries with their versions; one without a name is left out."""
    named = {
        " ".join(visible(f"{dictionary} {version or ''}").split())
        for dictionary, version in zip(codings[::2], codings[1::2], strict=True)
        if dictionary and visible(dictionary).split()
    }
    return sorted(named)[:_MOST_CODINGS]


def source_of(report: Report, codings: Codings) -> tuple[str, str, int]:
    """Return the origin of a report, its region, and the bits of the source fields it states.

    The origin is one text, which `parse_origin` decodes; without dictionaries it has three parts,
    as in the first version of the format. The bits are those that `completeness` expects.

    Parameters
    ----------
    report
        A report, or any object with the attributes of one (`streams.intake.native`).
    codings
        Dictionaries that its reactions state; one may occur more than once.
    """
    reporter = report.reporter
    origin, region, stated = _source(
        report.sender,
        report.source,
        report.report_type,
        reporter.kind,
        reporter.qualification,
        report.occurrence_country or reporter.country,
    )
    return _UNIT.join((origin, *_labels(codings))) if codings else origin, region, stated


def parse_origin(text: str) -> Origin:
    r"""Decode an origin of `source_of`.

    >>> parse_origin("JP\x1fp\x1fCLINIC A")
    Origin(source='CLINIC A', by_professional=True, country='JP', sender_stated=True,
           dictionaries=())
    """
    country, marks, source, *dictionaries = text.split(_UNIT)
    return Origin(source, "p" in marks, country, "u" not in marks, tuple(dictionaries))


PENALTIES = {
    "time_to_onset": 50,
    "indication": 30,
    "outcome": 30,
    "sex": 30,
    "age": 30,
    "dose": 10,
    "country": 10,
    "reporter": 10,
    "report_type": 10,
}
"""Deductions from a report's completeness, which begins at 100, by missing field [%].

Those of vigiGrade, which multiply, without that of comments: narratives never enter the stream, so
it is not known whether there is one.
"""


def _percent(stated: int) -> int:
    penalties = PENALTIES.values()
    factors = [100 - penalty for bit, penalty in enumerate(penalties) if not stated >> bit & 1]
    scale: int = 100 ** len(factors)  # whole numbers until they are divided once
    return round(100 * prod(factors) / scale)


_PERCENT = bytes(map(_percent, range(1 << len(PENALTIES))))
ONSET, INDICATION, OUTCOME, _SEX, _AGE, DOSE, _COUNTRY, _REPORTER, _TYPE = (
    1 << bit for bit in range(len(PENALTIES))
)
"""Bits of what a report states, in the order of `PENALTIES`."""


def completeness(sex: Sex, age: str, stated: int) -> int:
    """Return the completeness of a report [%]: 100 after the `PENALTIES`.

    A consumer of unknown kind counts as a reporter who is not stated: it is the default of a
    missing one.

    Parameters
    ----------
    sex
        Of its patient.
    age
        What `streams.core.cases.strata.age_group` gives.
    stated
        Bits of `source_of`, and those of its products and reactions: `ONSET`, `INDICATION`,
        `OUTCOME`, `DOSE`. A bit is set if one product or reaction states the field.
    """
    if sex is not _NO_SEX:
        stated |= _SEX
    if age != UNKNOWN:
        stated |= _AGE
    return _PERCENT[stated]
