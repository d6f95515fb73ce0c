"""Reduces a report to a case version, with the facts that are counted."""

from datetime import date
from typing import NamedTuple, cast

from schemas.link import CaseLink
from schemas.release import ReleaseMarker
from schemas.report import Report
from schemas.vocabulary import LinkKind, Outcome, RevisionKind, Seriousness, VerificationState
from streams.core.cases.chronology import joined_codes
from streams.core.cases.domain_case import add_level_courses, domain_case_of, encode_domain_case
from streams.core.cases.levels import level_names
from streams.core.cases.link_decisions import decision_of
from streams.core.cases.names import OF_DOMAIN, joined_names, names_of_reaction, suspects
from streams.core.cases.provenance import ONSET, OUTCOME, Codings, completeness, source_of
from streams.core.cases.spellings import first_spellings, joined_spellings, usual_event
from streams.core.cases.strata import age_group
from streams.core.cases.versions import RELEASE, CaseVersion, release_key

__all__ = ["case_version", "link_version", "release_version", "version_of"]

_EPOCH = date(1970, 1, 1).toordinal()
# Members bound to module names: looking one up in its class costs more than comparing it.
_NO_OUTCOME = Outcome.UNKNOWN
_FATAL, _DEATH, _VALID = Outcome.FATAL, Seriousness.DEATH, VerificationState.VALID_ICSR
_LIFE_THREATENING = Seriousness.LIFE_THREATENING
_COUNTED = {
    VerificationState.VALID_ICSR,
    VerificationState.HCP_CONFIRMED,
    VerificationState.AUTHORITY_CONFIRMED,
}


def case_version(report: Report) -> CaseVersion:
    """Reduce a report to the case version that the counts need.

    The drugs of a case are the substances of its suspect and interacting products; a product
    without a substance counts under its class, else under its name as reported; and the case under
    the levels it belongs to (`streams.core.cases.levels`). `excluded` is ``nullified``,
    ``duplicate`` (a `duplicate_of` link), ``unverified``, ``no_suspect_product`` or
    ``no_reaction``, the first that applies. The report may be any object with the attributes of
    one (`streams.intake.native`).
    """
    terms, began, onset, fatal, stated, codings, terms_spelt = _reactions(report)
    names, of_indications, of_products, courses, drugs_spelt = suspects(report.products, onset)
    origin, region, of_source = source_of(report, codings)
    patient, sex = report.patient, report.patient.sex
    age = age_group(patient.age_years, patient.age_group)
    watched = ""
    if of_products & OF_DOMAIN and (case := domain_case_of(report, age)):
        watched = encode_domain_case(case)
        names += level_names(case.classes, case.lots, case.facilities)
        add_level_courses(courses, report.products)
    # A single name needs no joining: the call costs more than this check.
    drugs = names[0] if len(names) == 1 else joined_names(names)
    events = terms[0] if len(terms) == 1 else joined_names(terms)
    seriousness = report.seriousness
    fatal = fatal or _DEATH in seriousness
    release = report.release
    revision = report.revision
    nullified = revision is not None and revision.kind is RevisionKind.NULLIFICATION
    return CaseVersion(
        report.case_id,
        report.version,
        release.released_on.toordinal() - _EPOCH if release else 0,
        report.latest_received.toordinal() - _EPOCH,
        nullified,
        report.message_id,
        report.first_received.toordinal() - _EPOCH,
        age,
        sex._value_,
        region,
        fatal or bool(seriousness),
        fatal,
        drugs,
        events,
        "nullified" if nullified else _excluded(report, drugs, events),
        (),
        watched,
        origin,
        joined_names(of_indications) if of_indications else "",
        completeness(sex, age, stated | of_source | of_products & ~OF_DOMAIN),
        _LIFE_THREATENING in seriousness,
        joined_codes(drugs, courses) if courses else "",
        joined_codes(events, began) if began else "",
        (),
        -1.0 if patient.age_years is None else patient.age_years,
        report.occurrence_subdivision or "",
        release.scope if release else "",
        0,
        joined_spellings(drugs, drugs_spelt) if drugs_spelt else "",
        joined_spellings(events, terms_spelt) if terms_spelt else "",
    )


class _Reactions(NamedTuple):
    """The reactions of a report together.

    Attributes
    ----------
    terms
        Events to count.
    began
        Earliest onset by event, as `date.toordinal`.
    onset
        The latest onset.
    stated
        Bits of what they state, as of `streams.core.cases.provenance.completeness`.
    spelt
        By term its spelling, of several the first in lexical order; only those not usual.
    """

    terms: list[str]
    began: dict[str, int]
    onset: date | None
    fatal: bool
    stated: int
    codings: Codings
    spelt: dict[str, str]


def _reactions(report: Report) -> _Reactions:
    terms: list[str] = []
    stated, onset, fatal = 0, None, False
    began: dict[str, int] = {}
    is_usual = True
    dictionary = version = None
    codings: Codings = ()
    for reaction in report.reactions:
        names, spelling = names_of_reaction(reaction.term)
        terms += names
        if spelling:
            is_usual = False
        if day := reaction.onset:
            ordinal = day.toordinal()
            for name in names:
                began[name] = min(ordinal, began.get(name, ordinal))
        outcome = reaction.outcome
        if outcome is not _NO_OUTCOME:
            stated |= OUTCOME
            if outcome is _FATAL:
                fatal = True
        named = reaction.dictionary
        if named is not None and (
            reaction.dictionary_version != version or named != dictionary  # mostly one of all
        ):
            dictionary, version = named, reaction.dictionary_version
            codings += (named, version)
        if reaction.onset_days is not None:
            stated |= ONSET
        elif day and (onset is None or day > onset):
            onset = day
    spelt = {} if is_usual else _spelt(report)
    return _Reactions(terms, began, onset, fatal, stated, codings, spelt)


def _spelt(report: Report) -> dict[str, str]:
    """Return the spellings of the reactions of a report, where not all are usual."""
    found = [names_of_reaction(reaction.term) for reaction in report.reactions]
    return first_spellings(
        ((names[0], spelling) for names, spelling in found if names), usual_event
    )


def _excluded(report: Report, drugs: str, events: str) -> str:
    """Return why a report that is not nullified does not count; empty if it does."""
    links, verification = report.links, report.verification
    if links and any(link.kind is LinkKind.DUPLICATE_OF for link in links):
        return "duplicate"
    if verification is not _VALID and verification not in _COUNTED:
        return "unverified"
    if not drugs:
        return "no_suspect_product"
    return "" if events else "no_reaction"


def version_of(message: Report | CaseLink | ReleaseMarker) -> CaseVersion:
    """Return the version of a message of `pv.reports`."""
    kind = type(message)
    # By type: `isinstance` of a pydantic model takes ten times as long.
    if kind is CaseLink:
        return link_version(cast(CaseLink, message))
    if kind is ReleaseMarker:
        return release_version(cast(ReleaseMarker, message))
    return case_version(cast(Report, message))


def link_version(link: CaseLink) -> CaseVersion:
    """Convert a link to a case version: lower than every report of its case, and never counted."""
    day = link.decided_on.toordinal() - _EPOCH
    links = (decision_of(link),)
    return CaseVersion(
        link.case_id, -1, 0, day, False, "", day, "", "", "", False, False, "", "", "", links
    )


def release_version(marker: ReleaseMarker) -> CaseVersion:
    """Convert a release marker to the version that is stored for its scope; it moves no clock."""
    return CaseVersion(
        release_key(marker.scope),
        RELEASE,
        marker.released_on.toordinal() - _EPOCH,
        *(-1, False, "", -1, "", "", "", False, False, "", "", ""),
        scope=marker.scope,
    )
