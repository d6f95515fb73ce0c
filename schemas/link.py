"""One decision on whether a case is a duplicate of another, as it travels on `pv.reports`.

A link is input like a report: it is keyed by the case it concerns, is in the same partition, and
decides from its offset on whether that case counts. So counts are a function of the log alone, for
any decider and any partition of the other case (docs/adr/0015-links-are-input.md).
"""

from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.base import Message
from schemas.report import EARLIEST
from schemas.vocabulary import LinkBasis, LinkState

__all__ = ["LINK_MARK", "LINK_SCHEMA_VERSION", "CaseLink"]

LINK_SCHEMA_VERSION = "1.0"
"""Version of the link schema. Changes are additive within a major number."""

LINK_MARK = b'"case_link"'
"""A field of every link. A report is never read as a link, nor a link as a report: each lacks
mandatory fields of the other."""


class CaseLink(Message):
    """One decision: this case is, may be, or is not after all, a duplicate of that one.

    There are three deciders, identified by the basis: a person (`manual`), matching of
    identifiers (`worldwide_id`, `report_number`, `source_id`, `cross_listed`) and the linkage
    of records (`probable`). For each case the highest `decision` of each decider holds,
    whatever order they arrive in; of two with one number `suspected` holds over `reversed` over
    `applied`, then the greater master. The case is kept out of the counts if a person applied a
    link, or if no person decided and one of the other two applied one. A person who decided
    `suspected` leaves it to the other two again.
    """

    message_type: Literal["case_link"] = Field(
        default="case_link", description="Tells a link from a report; always stated."
    )
    schema_version: Literal["1.0"] = Field(
        default="1.0", description="Version of this schema; additive within a major number."
    )
    case_id: str = Field(
        min_length=1,
        max_length=200,
        description="The case it concerns: the duplicate. The key on `pv.reports`.",
    )
    master_case_id: str = Field(
        min_length=1,
        max_length=200,
        description="The master case of the patient, on any partition.",
    )
    state: LinkState = Field(
        description="`applied` keeps the case out of the counts, `reversed` lets it count again, "
        "`suspected` changes no count."
    )
    basis: LinkBasis = Field(description="What the decision rests on; it tells who decided.")
    decision: int = Field(
        ge=1,
        le=2**53,
        description="Number of this decision among those of its decider on this case; the highest "
        "holds.",
    )
    decided_on: date = Field(
        ge=EARLIEST, description="Day of the information it was made from; moves the clock."
    )
    decided_by: str = Field(
        min_length=1, max_length=200, description="Role or program; not the name of a person."
    )
    reason: str = Field(min_length=1, max_length=2000, description="Why, in one line.")
    score: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Probability that both are one patient; stated for `probable` only.",
    )
    agreed: tuple[str, ...] = Field(
        default=(), max_length=50, description="What agrees: `age`, `sex`, `drugs` and so on."
    )
    disagreed: tuple[str, ...] = Field(
        default=(), max_length=50, description="What both state and does not agree."
    )

    @model_validator(mode="after")
    def _two_cases_and_a_score(self) -> Self:
        if self.case_id == self.master_case_id:
            msg = "master_case_id must be another case"
            raise ValueError(msg)
        if (self.score is None) is (self.basis is LinkBasis.PROBABLE):
            msg = "score must be stated if, and only if, the basis is probable"
            raise ValueError(msg)
        return self
