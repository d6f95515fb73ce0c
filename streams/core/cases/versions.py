"""Case versions: stored fields, the order that decides which is current, and the counted form."""

import msgspec

from streams.core.cases.link_decisions import LinkDecision, highest, is_linked_away, is_suspected

__all__ = [
    "RELEASE",
    "RELEASE_PREFIX",
    "CaseVersion",
    "as_counted",
    "as_released",
    "bare",
    "joined",
    "release_key",
    "removal_of",
]

RELEASE_PREFIX = "\x1f"
"""Beginning of the ids that release markers are stored under."""
RELEASE = -2
"""`version` of a release marker, which is stored as a version of its scope, and never counted."""


class CaseVersion(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """One version of one case, as the counts need it; also the case stage's stored state.

    The order of the fields is the order of versions: of two values with one `case_id` the greater
    is current. The fields after `message_id` decide only between messages that a sender should not
    have given one number; they make the outcome independent of the order of arrival even then.
    """

    case_id: str
    version: int
    release: int  # day of the release it is part of, days since 1970-01-01; 0: of none
    latest_received: int  # days since 1970-01-01
    nullified: bool
    message_id: str
    day: int  # of first receipt, days since 1970-01-01
    age_group: str
    sex: str
    region: str
    serious: bool
    fatal: bool
    drugs: str  # normal forms of distinct suspect drugs, sorted, joined by the unit separator
    events: str  # distinct reactions, likewise
    excluded: str  # reason why the case is not counted, apart from links; empty if it is
    links: tuple[LinkDecision, ...] = ()  # at most one of each decider, sorted; mostly none
    watched: str = ""  # encoded `DomainCase`; empty without a product of the domain
    origin: str = ""  # see `streams.core.cases.provenance`
    indications: str = ""  # normal forms of indications of suspect products, as `drugs`
    completeness: int = 0  # of the report [%]
    life_threatening: bool = False
    courses: str = ""  # beside `drugs`: codes of `streams.core.cases.chronology`; empty: all are 0
    onsets: str = ""  # beside `events`: day of onset as `date.toordinal`, 0 if not stated; likewise
    voided: "tuple[CaseVersion, ...]" = ()  # of a nullified case: its greatest other version
    age_years: float = -1.0  # at onset; -1: not stated
    subdivision: str = ""  # ISO 3166-2 of the occurrence
    scope: str = ""  # what the release holds whole, such as `vaers/2021`
    withdrawn: int = 0  # day of the newest release of its scope, if that no longer has the case
    drug_spellings: str = ""  # beside `drugs`: see `streams.core.cases.spellings`; empty: usual
    event_spellings: str = ""  # beside `events`, likewise

    @property
    def suspected_duplicate(self) -> bool:
        """Return whether links mark the case as a suspected, not a decided, duplicate."""
        return is_suspected(self.links)

    def same_message(self, other: "CaseVersion") -> bool:
        """Return whether both claim to be the same message of the same version."""
        return (
            self.version == other.version
            and self.release == other.release
            and self.latest_received == other.latest_received
            and self.nullified == other.nullified
            and self.message_id == other.message_id
        )

    def counts_as(self, other: "CaseVersion") -> bool:
        """Return whether replacing one by the other changes no count and no spelling."""
        return (
            self.day == other.day
            and self.drugs == other.drugs
            and self.events == other.events
            and self.excluded == other.excluded
            and self.age_group == other.age_group
            and self.sex == other.sex
            and self.region == other.region
            and self.serious == other.serious
            and self.fatal == other.fatal
            and self.watched == other.watched
            and self.origin == other.origin
            and self.indications == other.indications
            and self.completeness == other.completeness
            and self.life_threatening == other.life_threatening
            and self.courses == other.courses
            and self.onsets == other.onsets
            and self.age_years == other.age_years
            and self.subdivision == other.subdivision
            and self.drug_spellings == other.drug_spellings
            and self.event_spellings == other.event_spellings
            and (self.links == other.links or self.suspected_duplicate == other.suspected_duplicate)
        )


def joined(version: CaseVersion, other: CaseVersion) -> CaseVersion:
    """Return the greater of two versions of one case, with the highest decisions of both.

    A nullified version also has the greatest version that it voided. Joining in any order, and any
    number of times, gives the same result.
    """
    greater, lesser = bare(version), bare(other)
    if greater < lesser:
        greater, lesser = lesser, greater
    voided: tuple[CaseVersion, ...] = ()
    if greater.nullified:
        reports = (*version.voided, *other.voided, lesser)
        void = [report for report in reports if report.version >= 0 and not report.nullified]
        voided = (max(void),) if void else ()
    links = highest(version.links, other.links)
    withdrawn = max(version.withdrawn, other.withdrawn)
    if not (links or voided or withdrawn):
        return greater
    return msgspec.structs.replace(greater, links=links, voided=voided, withdrawn=withdrawn)


def bare(version: CaseVersion) -> CaseVersion:
    """Return the version as sent, without link decisions, voided versions and withdrawal."""
    if version.links or version.voided or version.withdrawn:
        return msgspec.structs.replace(version, links=(), voided=(), withdrawn=0)
    return version


def release_key(scope: str) -> str:
    """Return the key under which the marker of a scope is stored; no case has such an id."""
    return RELEASE_PREFIX + scope


def as_released(version: CaseVersion, marker: CaseVersion | None) -> CaseVersion:
    """Return the version withdrawn if a newer complete release of its scope does not have it.

    Parameters
    ----------
    marker
        The newest marker of the version's scope, if there is one.
    """
    is_newer = marker is not None and marker.release > version.release
    withdrawn = marker.release if marker is not None and is_newer else 0
    if withdrawn == version.withdrawn:
        return version
    return msgspec.structs.replace(version, withdrawn=withdrawn)


def as_counted(version: CaseVersion) -> CaseVersion | None:
    """Return a case as its links and releases let it count; `None` if it has no report yet."""
    if version.version < 0:
        return None
    if not version.nullified and is_linked_away(version.links):
        return msgspec.structs.replace(version, excluded="duplicate")
    if not version.nullified and version.withdrawn:
        return msgspec.structs.replace(version, excluded="withdrawn")
    return version


def removal_of(version: CaseVersion | None) -> tuple[CaseVersion, str] | None:
    """Return the form in which a removed case would count, and the reason; `None` if not removed.

    That is `nullified`, `duplicate` for a link, or `withdrawn` for a release without it. A case
    that was never valid is not removed, nor is one that its own report calls a duplicate.
    """
    if version is None or version.version < 0:
        return None
    if version.nullified:
        counted = [report for report in version.voided if not report.excluded]
        return (counted[0], "nullified") if counted else None
    if version.excluded:
        return None
    if is_linked_away(version.links):
        return bare(version), "duplicate"
    return (bare(version), "withdrawn") if version.withdrawn else None
