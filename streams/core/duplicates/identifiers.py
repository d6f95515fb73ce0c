"""Identifiers of a report, normalised for comparison between reports."""

import re
import unicodedata
from collections.abc import Iterable

import msgspec

from schemas.report import Report

__all__ = ["CaseIdentifiers", "completeness", "identifiers_of", "normalise_id"]

_SEPARATOR = "\x1f"
_NUMBERED = ("faers",)  # sources that give every report a number of its own, in all archives
_WORLDWIDE = re.compile(r"[A-Z]{2}-[^-]+-.+")  # country, organisation, number (ICH E2B(R3) C.1.8.1)


class CaseIdentifiers(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """Normalised identifiers of a case, and the completeness of its report.

    Keys begin with ``w`` for a worldwide number, ``s`` for a number of one sender, and ``r`` for
    the number of a report in its source. Numbers of
    one kind meet only each other, but a sender's number in the form of a worldwide one is both.
    """

    own: tuple[str, ...]  # keys of the numbers of this case, sorted
    listed: tuple[str, ...]  # keys of numbers it had in earlier transmissions, sorted
    completeness: int  # millionths; see `completeness`

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the distinct keys, own ones first."""
        return tuple(dict.fromkeys((*self.own, *self.listed)))


def normalise_id(text: str | None) -> str | None:
    """Normalise a number: width, case, blanks and kinds of dash do not identify it.

    A text without a digit from 1 to 9 is a placeholder, and identifies nothing.

    >>> normalise_id(" us-Acme - 2024 7"), normalise_id("ＵＳ－ACME‐20247")
    ('US-ACME-20247', 'US-ACME-20247')
    >>> [normalise_id(text) for text in (None, "", " ", "UNKNOWN", "N/A", "000")]
    [None, None, None, None, None, None]
    """
    plain = _plain(text)
    return plain if any(character.isdigit() and character != "0" for character in plain) else None


def identifiers_of(report: Report) -> CaseIdentifiers | None:
    r"""Return the identifiers of a report; `None` if it states none.

    Parameters
    ----------
    report
        A report, or any object with the attributes of one (`streams.intake.native`).

    Examples
    --------
    >>> from datetime import date
    >>> day = {"first_received": date(2024, 1, 1), "latest_received": date(2024, 1, 1)}
    >>> ids = {"worldwide_id": "JP-X-1", "sender": "Y", "sender_case_id": "7"}
    >>> identifiers_of(Report(case_id="A", **day, **ids)).own
    ('s:Y\x1f7', 'w:JP-X-1')
    >>> identifiers_of(Report(case_id="A", **day, worldwide_id="unknown")) is None
    True
    """
    is_numbered = report.source in _NUMBERED and report.message_id
    if not (report.worldwide_id or report.sender_case_id or report.other_ids or is_numbered):
        return None
    own = set(_keys(report.sender, report.sender_case_id))
    if worldwide := normalise_id(report.worldwide_id):
        own.add(f"w:{worldwide}")
    if is_numbered and (number := normalise_id(report.message_id)):
        own.add(f"r:{report.source}{_SEPARATOR}{number}")
    listed: set[str] = set()
    for other in report.other_ids:
        listed.update(_keys(other.source, other.case_id, bare=other.source is None))
    if not own and not listed:
        return None
    return CaseIdentifiers(tuple(sorted(own)), tuple(sorted(listed - own)), completeness(report))


def _keys(source: str | None, number: str | None, *, bare: bool = False) -> Iterable[str]:
    """Return the keys of a case number; with `bare`, also the key that names no source."""
    plain = normalise_id(number)
    if plain is None:
        return
    if owner := _plain(source):
        yield f"s:{owner}{_SEPARATOR}{plain}"
    if bare or _WORLDWIDE.fullmatch(plain):
        yield f"w:{plain}"


def _plain(text: str | None) -> str:
    if not text:
        return ""
    return "".join(
        "-" if unicodedata.category(character) == "Pd" else character
        for character in unicodedata.normalize("NFKC", text).upper()
        if not character.isspace() and character.isprintable()
    )


def completeness(report: Report) -> int:
    """Return the completeness of a report, in millionths.

    It is the product of the penalties of vigiGrade [1]_ for what the report as a whole leaves open:
    time to onset 1/2; indication, outcome, sex, age 7/10 each; dose, country, reporter, type of
    report 9/10 each.

    References
    ----------
    .. [1] Bergvall, Noren, Lindquist (2014). vigiGrade: a tool to identify well-documented
       individual case reports. Drug Safety 37, 65-77. doi 10.1007/s40264-013-0131-x.
    """
    suspects = [drug for drug in report.products if drug.role in ("suspect", "interacting")]
    reactions, patient, reporter = report.reactions, report.patient, report.reporter
    dated = any(event.onset for event in reactions) and any(drug.first_given for drug in suspects)
    aged = patient.age_years is not None or patient.age_group not in (None, "unknown")
    known = (
        (5, dated or any(event.onset_days is not None for event in reactions)),
        (7, any(drug.indication for drug in suspects)),
        (7, any(event.outcome != "unknown" for event in reactions)),
        (7, patient.sex != "unknown"),
        (7, aged),
        (9, any(drug.dose for drug in suspects)),
        (9, bool(report.occurrence_country or reporter.country)),
        (9, reporter.kind != "unknown"),
        (9, report.report_type != "unknown"),
    )
    score = 1_000_000
    for tenths, is_stated in known:
        if not is_stated:
            score = score * tenths // 10
    return score
