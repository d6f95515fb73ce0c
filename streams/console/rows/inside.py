"""What a row shows when a reader opens it: sentence, caveat, revisions and the 2x2 table."""

from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from schemas.subscription import Tier
from streams.console.rows.row_facts import estimate_of
from streams.core.wording.alert_texts import in_language
from streams.core.wording.catalogue import Language
from streams.delivery.api.read_model import ReadModel
from streams.figures.marks.revisions_spark import RevisionPoint, revisions_spark

__all__ = ["FourCounts", "Inside", "inside_of"]


@dataclass(frozen=True, slots=True)
class FourCounts:
    """The 2x2 table of a signal."""

    both: int
    product_only: int
    event_only: int
    neither: int


@dataclass(frozen=True, slots=True)
class Inside:
    """What an open row shows.

    Attributes
    ----------
    language
        Language of the sentence: copies below the authority's are in English.
    revisions
        Picture of the estimates; empty for what has none.
    """

    key: str
    alert_id: str
    revision: int
    sentence: str
    caveat: str
    next_step: str
    language: Language
    revisions: Markup
    n_revisions: int
    table: FourCounts | None


def inside_of(model: ReadModel, tier: Tier, key: str, language: Language) -> Inside | None:
    """Return what an open row shows; None if the tier knows none of its key."""
    copies = model.revisions(tier, key)
    if not copies:
        return None
    copy = copies[-1]
    texts, spoken = copy, Language.ENGLISH
    if tier is Tier.AUTHORITY and language is not Language.ENGLISH:
        alert = in_language(model.alerts_of(key)[-1], language)
        texts, spoken = alert.model_dump(mode="json"), language
    points = [
        RevisionPoint(date.fromisoformat(one["evaluated_on"]), estimate_of(one))
        for one in copies
        if "statistics" in one
    ]
    counts = copy.get("counts")
    return Inside(
        key=key,
        alert_id=copy["alert_id"],
        revision=copy["revision"],
        sentence=texts["sentence"],
        caveat=texts["caveat"],
        next_step=texts.get("next_step") or "",
        language=spoken,
        revisions=Markup(
            revisions_spark(points, name=f"r-{copy['alert_id'][:12]}", language=language)
            if points
            else ""
        ),
        n_revisions=len(copies),
        table=None
        if counts is None
        else FourCounts(
            counts["n_observed"],
            counts["n_drug"] - counts["n_observed"],
            counts["n_event"] - counts["n_observed"],
            counts["n_total"] - counts["n_drug"] - counts["n_event"] + counts["n_observed"],
        ),
    )
