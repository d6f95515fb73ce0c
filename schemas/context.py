"""Context of a signal of an unlicensed product: lots, facilities, reporting duties, notices.

Part of every alert on a product of the domain, built from its cases and the notices so far.
"""

from datetime import date

from pydantic import Field

from schemas.base import Message
from schemas.notice import NoticeKind
from schemas.vocabulary import VerificationState

__all__ = ["Context", "ContextChanges", "NamedCount", "NoticeSoFar", "SubjectSoFar"]


class NamedCount(Message):
    """Number of cases with a value; a case may have several values of one kind."""

    name: str = Field(description="The value: a code, or the words as reported.")
    n: int = Field(ge=1, description="Cases.")


class NoticeSoFar(Message):
    """A notice about the class of products, known by the day of the alert."""

    notice_id: str = Field(description="Its identity on `pv.notices`.")
    kind: NoticeKind = Field(description="What it is.")
    on: date = Field(description="Day it was received.")
    country: str | None = Field(description="ISO 3166-1 alpha-2; null if not stated.")


class SubjectSoFar(Message):
    """A rumour or patient series with these cases, or with the same reaction."""

    subject_id: str = Field(description="Its identity on `pv.notices`.")
    state: VerificationState = Field(description="Verification state.")
    was: VerificationState | None = Field(
        default=None,
        description="Its state in the revision that this one replaces; null if it is the same, or "
        "was not there.",
    )


class ContextChanges(Message):
    """Changes of a context since the revision that this one replaces."""

    countries_added: tuple[str, ...] = Field(description="Countries with a case now, sorted.")
    countries_gone: tuple[str, ...] = Field(description="Countries without a case left, sorted.")
    n_lots_gone: int = Field(ge=0, description="Lots without a case left.")
    n_facilities_gone: int = Field(ge=0, description="Facilities without a case left.")


_Counts = tuple[NamedCount, ...]


class Context(Message):
    """Context of a signal of a product of the domain.

    Every count is of the `n_cases` cases, the most frequent first. Lots and facilities are for the
    authority tier.
    """

    product_class: str = Field(description="Code of the class of its products.")
    class_label: str = Field(description="The class in words.")
    family: str | None = Field(description="Hazard family of the event; null if it is of none.")
    n_cases: int = Field(
        ge=0, description="Cases of the signal, among those named, whose product is of the domain."
    )
    countries: _Counts = Field(description="ISO 3166-1 alpha-2.")
    lots: _Counts = Field(description="Lots, normalised. Authority tier.")
    lot_missing_share: float | None = Field(
        ge=0, le=1, description="Share of the cases without a lot; null without a case."
    )
    facilities: _Counts = Field(description="Pseudonyms. Authority tier.")
    tissues: _Counts = Field(description="Tissues of origin.")
    donors: _Counts = Field(description="Relations of donor to patient.")
    routes: _Counts = Field(description="Routes of administration.")
    indications: _Counts = Field(description="Indications, as reported.")
    supply_routes: _Counts = Field(description="Supply routes to the patients.")
    designated: tuple[str, ...] = Field(
        description="Reactions of the cases that the policy designates, sorted."
    )
    duty: tuple[str, ...] = Field(
        min_length=1,
        description="Which duty to report exists in each country, and whose; also `none`. The "
        "last line names the law table.",
    )
    law_version: str = Field(description="Of the table that `duty` is from.")
    exposure_ongoing: bool | None = Field(
        description="Whether a case or a subject says it is still being given; null: not known."
    )
    subjects: tuple[SubjectSoFar, ...] = Field(description="Rumours and series, by name.")
    notices: tuple[NoticeSoFar, ...] = Field(
        description="Warnings, press, guidance and regulatory actions about the class, by day."
    )
    n_by_professional: int = Field(ge=0, description="Cases that a health professional reported.")
    verification: str = Field(description="Who reported them, in words.")
    flags: tuple[str, ...] = Field(
        description="`indication_confounding`, `late`, `post_notice`, `lot_missing`, "
        "`lot_in_other_letters`."
    )
    changes: ContextChanges | None = Field(
        default=None,
        description="What changed since the revision that this one replaces; null in the first.",
    )
