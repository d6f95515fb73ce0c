"""Origin of a case, and the completeness of its report."""

from functools import lru_cache
from math import prod
from typing import NamedTuple

from schemas.report import Report
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

_UNIT = "\x1f"  # stands between the parts of an origin; no part holds it
_MOST_SOURCES = 100_000  # kept at a time
_MOST_CODINGS = 8  # of one report: nobody needs more, and an origin is kept by its text

# By a name of its own: to look it up in its class costs more than to compare it.
_NO_SEX = Sex.UNKNOWN


class Origin(NamedTuple):
    """Where a case came from.

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
    """Return what `source_of` gives of a report that states no dictionary."""
    by_professional = qualification not in (Qualification.CONSUMER, Qualification.LAWYER)
    # `str.split` takes the unit separator for white space.
    name = " ".join((sender or "").split())
    marks = ("p" if by_professional else "") + ("" if name else "u")
    stated = _COUNTRY if country else 0
    if kind is not ReporterKind.UNKNOWN or qualification is not Qualification.CONSUMER:
        stated |= _REPORTER
    if report_type is not ReportType.UNKNOWN:
        stated |= _TYPE
    origin = _UNIT.join((country or "", marks, name or " ".join(system.split())))
    return origin, region_of(country), stated


def _labels(codings: Codings) -> list[str]:
    """Name dictionaries with their versions, each once; one without a name is none."""
    named = {
        " ".join(f"{dictionary} {version or ''}".split())
        for dictionary, version in zip(codings[::2], codings[1::2], strict=True)
        if dictionary and dictionary.split()
    }
    return sorted(named)[:_MOST_CODINGS]


def source_of(report: Report, codings: Codings) -> tuple[str, str, int]:
    """Return where a report came from: its origin, its region, and bits of what it states of them.

    The origin is one text, which `parse_origin` takes apart; of a report that states no dictionary
    it has three parts, as all had once. The bits are those that `completeness` asks for.

    Parameters
    ----------
    report
        A report, or any object with the attributes of one (`streams.intake.native`).
    codings
        What its reactions state of dictionaries; one may stand there more than once.
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
    r"""Take apart an origin of `source_of`.

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
"""What is taken off a report's completeness, which begins at 100, where a field is not stated [%].

Those of vigiGrade, multiplied with one another, without that of comments: narratives never enter
the stream, so that nothing could tell whether there is one.
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
    """Return how complete a report is [%]: what the `PENALTIES` leave of 100.

    A reporter of no kind who is a consumer is one who is not stated: that is what a missing one
    counts as.

    Parameters
    ----------
    sex
        Of its patient.
    age
        What `streams.core.cases.strata.age_group` gives.
    stated
        What `source_of` gives, and what its products and reactions state: `ONSET`, `INDICATION`,
        `OUTCOME`, `DOSE`. One of them that states a field suffices.
    """
    if sex is not _NO_SEX:
        stated |= _SEX
    if age != UNKNOWN:
        stated |= _AGE
    return _PERCENT[stated]
