"""Texts of public copies of safety alerts: only what the fields of a public copy hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from schemas.safety_alert import AlertCategory, SafetyAlertKind
from schemas.vocabulary import VerificationState
from streams.core.wording.catalogue import Catalogue, Language, capitalised, catalogue
from streams.core.wording.names import class_name, family_name
from streams.core.wording.numbers import month_and_year

__all__ = ["PublicFacts", "public_caveat", "public_safety_text"]

_ENDED = {SafetyAlertKind.CLOSED, SafetyAlertKind.RETRACTION}
_MOST_FAMILIES = 2  # so that a sentence is short
_SHARED = {
    AlertCategory.LOT_CLUSTER,
    AlertCategory.MANUFACTURER_CLUSTER,
    AlertCategory.DISTRIBUTOR_CLUSTER,
}
_AGGREGATED = {
    AlertCategory.FATAL_CASE: "fatal",
    AlertCategory.UNVERIFIED_FATAL: "rumour",
    AlertCategory.ONGOING_EXPOSURE: "exposure",
    AlertCategory.FOLLOW_UP_OVERDUE: "overdue",
}


@dataclass(frozen=True, slots=True)
class PublicFacts:
    """Fields of a public copy that its text is made from.

    Attributes
    ----------
    product_class
        Class of the products; None if it is not known.
    families
        Hazard families of the reactions.
    verification
        Verification state of a series; None for other categories.
    band
        Band of the number of patients or cases, such as `1-10`.
    month
        Any day of the month of evaluation.
    """

    category: AlertCategory
    kind: SafetyAlertKind
    product_class: str | None
    families: Sequence[str]
    verification: VerificationState | None
    band: str
    month: date


def public_safety_text(facts: PublicFacts, language: Language = Language.ENGLISH) -> str:
    """Return the headline of a public copy, which is its only sentence.

    Raises
    ------
    ValueError
        If the category is hidden from the public.
    """
    words = catalogue(language)
    name, values = _what(facts, words)
    product = words.text("safety.no_product")
    if facts.product_class is not None:
        product = class_name(facts.product_class, words)
    families = [family_name(code, words) for code in facts.families[:_MOST_FAMILIES]]
    what = words.text(
        f"safety.public.{name}",
        product=product,
        terms=words.listed(families) or words.text("safety.no_terms"),
        band=_band(facts.band, words),
        **values,
    )
    month = month_and_year(facts.month, words)
    return capitalised(words.text("safety.public.headline", what=what, month=month))


def public_caveat(caveat: str, language: Language = Language.ENGLISH) -> str:
    """Return the caveat of a public copy: that of the alert, and to stop no treatment."""
    words = catalogue(language)
    return words.templates["form.space"].join([caveat, words.text("safety.public.advice")])


def _what(facts: PublicFacts, words: Catalogue) -> tuple[str, dict[str, str]]:
    """Return the name of the template of a category, and the values it alone has."""
    ended = facts.kind in _ENDED
    end = "_ended" if ended else ""
    category = facts.category
    if category in _SHARED:
        return f"cluster{end}", {"unit": words.text(f"safety.public.unit.{category}")}
    if category is AlertCategory.CASE_SERIES:
        return f"series{end}", {"state": _state(facts, words)}
    if category in _AGGREGATED:
        return f"{_AGGREGATED[category]}{end}", {}
    msg = f"public text: category must be shown to the public; got {category}"
    raise ValueError(msg)


def _state(facts: PublicFacts, words: Catalogue) -> str:
    withdrawn = facts.kind is SafetyAlertKind.RETRACTION
    state = "withdrawn" if withdrawn or facts.verification is None else facts.verification
    return words.text(f"safety.public.series_state.{state}")


def _band(band: str, words: Catalogue) -> str:
    """Return a band in words.

    >>> _band("1-10", catalogue(Language.ENGLISH)), _band("0", catalogue(Language.ENGLISH))
    ('1 to 10', 'no')
    """
    if band == "0":
        return words.text("safety.public.none")
    first, dash, last = band.partition("-")
    if dash:
        return words.text("safety.public.band", first=first, last=last)
    return words.text("safety.public.band_open", first=f"{int(first.split()[0]):,}")
