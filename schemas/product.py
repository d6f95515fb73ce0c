"""A product of a report, licensed or not: identity, source material, lot, administration."""

import re
import unicodedata
from datetime import date

from pydantic import AwareDatetime, Field

from schemas.base import Message
from schemas.visible_text import visible
from schemas.vocabulary import ActionTaken, ClaimType, Country, Donor, ProductRole, SupplyRoute

__all__ = [
    "DiscontinuationAdvice",
    "Facility",
    "Preparation",
    "Product",
    "Quality",
    "Relatedness",
    "SourceMaterial",
    "in_other_letters",
    "normalise_lot",
]

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")


# Words typed instead of a missing lot number; two such reports do not share a lot.
_NO_LOT = {"NA", "NI", "NONE", "NOTAVAILABLE", "NOTKNOWN", "NOTREPORTED", "UNK", "UNKNOWN"}


# Capital letters of Cyrillic and Greek that look like one of Latin, and that one.
_TWINS = str.maketrans(
    "АВЕЅІЈКМНОРСТУХԚԜԌҺӀΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹͿ",
    "ABESIJKMHOPCTYXQWGHIABEZHIKMNOPTYXCJ",
)


def normalise_lot(lot: str | None) -> str | None:
    """Normalise a lot number: ignore character width, case, spaces and dashes.

    Letters of Cyrillic and Greek that look like Latin ones are read as these, unless another letter
    of the lot has no such twin; digits of any script are read as 0 to 9. A missing lot number, or a
    word for one, gives None.

    >>> normalise_lot("EX117 ") == normalise_lot("ＥＸ－117") == normalise_lot("ЕХ١١٧") == "EX117"
    True
    >>> normalise_lot("not available") is None
    True
    """
    if lot is None:
        return None
    spelt = _spelt(lot)
    normal = spelt if spelt.isascii() else _in_latin(spelt)
    return None if not normal or normal in _NO_LOT else normal


def in_other_letters(lot: str | None) -> bool:
    """Return whether a lot number was written in letters or digits that `normalise_lot` replaces.

    >>> in_other_letters("EX-117"), in_other_letters("ЕХ-117"), in_other_letters("ロット7")
    (False, True, False)
    """
    return lot is not None and not lot.isascii() and _spelt(lot) != normalise_lot(lot) is not None


def _spelt(lot: str) -> str:
    return _NOT_ALPHANUMERIC.sub("", unicodedata.normalize("NFKC", visible(lot))).upper()


def _in_latin(spelt: str) -> str:
    latin = spelt.translate(_TWINS)
    letters = latin if not any(map(_is_foreign, latin)) else spelt
    return "".join(
        str(digit) if (digit := unicodedata.decimal(character, None)) is not None else character
        for character in letters
    )


def _is_foreign(character: str) -> bool:
    return unicodedata.name(character, "").startswith(("CYRILLIC", "GREEK"))


class SourceMaterial(Message):
    """Source material of a biological product."""

    tissue: str | None = Field(
        default=None, max_length=100, description="Coded tissue, such as `umbilical_cord`."
    )
    tissue_verbatim: str | None = Field(default=None, max_length=500, description="As reported.")
    donor: Donor = Field(default=Donor.UNKNOWN, description="Relation of donor to patient.")
    donor_id: str | None = Field(
        default=None, max_length=100, description="Pseudonym of the donor."
    )
    engineered: bool | None = Field(
        default=None, description="Whether the vesicles or cells were modified; null if unknown."
    )
    contains_functional_rna: bool | None = Field(
        default=None, description="In the EU this decides ATMP or not; null if unknown."
    )
    living_cells: bool | None = Field(default=None, description="Null if unknown.")


class Preparation(Message):
    """Preparation and storage of a lot."""

    made_at: AwareDatetime | None = Field(default=None, description="When the lot was made.")
    thawed_at: AwareDatetime | None = Field(default=None, description="When the dose was thawed.")
    storage: str | None = Field(default=None, max_length=200, description="Storage conditions.")
    passage: int | None = Field(default=None, ge=0, description="Cell passage number.")
    medium: str | None = Field(default=None, max_length=200, description="Culture medium.")
    purification: str | None = Field(default=None, max_length=200, description="Method, if any.")


class Quality(Message):
    """Quality measurements of a lot. A value without its method means little."""

    particles_per_ml: float | None = Field(default=None, ge=0, description="Particles per mL.")
    size_nm: float | None = Field(default=None, gt=0, description="Modal particle size in nm.")
    method: str | None = Field(default=None, max_length=200, description="How it was measured.")
    sterility: str | None = Field(default=None, max_length=200, description="Result of the test.")
    culture_result: str | None = Field(
        default=None, max_length=200, description="Organism cultured from the product itself."
    )


class Facility(Message):
    """Facility that gave the product, under a pseudonym."""

    facility_id: str = Field(
        min_length=1, max_length=100, description="Pseudonym. Authority tier only."
    )
    kind: str | None = Field(default=None, max_length=100, description="Such as `clinic`.")
    country: Country | None = Field(default=None, description="ISO 3166-1 alpha-2.")


class DiscontinuationAdvice(Message):
    """Advice to discontinue the product."""

    by: str = Field(min_length=1, max_length=200, description="Role, such as 'outside oncologist'.")
    on: date | None = Field(default=None, description="Day of the advice; null if not stated.")


class Relatedness(Message):
    """An assessment whether the product caused a reaction (ICH E2B(R3) G.k.9.i.2), as stated."""

    reaction: str = Field(
        min_length=1, max_length=500, description="Term of the reaction that was assessed."
    )
    source: str | None = Field(
        default=None, max_length=200, description="Who assessed it (G.k.9.i.2.r.1)."
    )
    method: str | None = Field(
        default=None, max_length=200, description="Method of assessment (G.k.9.i.2.r.2)."
    )
    result: str = Field(
        min_length=1, max_length=200, description="Result, in the source's words (G.k.9.i.2.r.3)."
    )


class Product(Message):
    """One product of the case."""

    verbatim: str | None = Field(
        default=None,
        max_length=2000,
        description="Name as reported, kept whatever it is mapped to.",
    )
    substances: tuple[str, ...] = Field(
        default=(),
        max_length=200,
        description="Active substances; each is a drug of a 2x2 table if the role is suspect.",
    )
    product_class: str | None = Field(
        default=None,
        max_length=200,
        description="Class of a product without a substance name; the drug of the table if so.",
    )
    role: ProductRole = Field(
        default=ProductRole.SUSPECT, description="ICH E2B(R3) G.k.1; interacting counts as suspect."
    )
    indication: str | None = Field(default=None, max_length=500, description="Coded term.")
    indication_verbatim: str | None = Field(
        default=None, max_length=2000, description="As reported."
    )
    claim: ClaimType = Field(default=ClaimType.UNKNOWN, description="What it was given for.")
    route: str | None = Field(
        default=None, max_length=200, description="Route of administration, as coded by the source."
    )
    dose: str | None = Field(default=None, max_length=1000, description="Dose with its unit.")
    volume_ml: float | None = Field(default=None, ge=0, description="Volume given, in mL.")
    interval_hours: float | None = Field(
        default=None, ge=0, description="Hours over which `volume_ml` was given."
    )
    first_given: date | None = Field(default=None, description="First day of administration.")
    last_given: date | None = Field(default=None, description="Last day of administration.")
    lot: str | None = Field(
        default=None,
        max_length=200,
        description="Lot as typed; lots are compared by `lot_normalised`, derived from it.",
    )
    lot_requested: date | None = Field(
        default=None, description="Day a missing lot number was asked for."
    )
    manufacturer: str | None = Field(default=None, max_length=500, description="Who made it.")
    distributor: str | None = Field(default=None, max_length=500, description="Who passed it on.")
    licence: str | None = Field(
        default=None,
        max_length=200,
        description="Authorisation number; null where nobody holds one, which is no error.",
    )
    supply_route: SupplyRoute = Field(
        default=SupplyRoute.UNKNOWN, description="How it reached the patient."
    )
    action_taken: ActionTaken = Field(default=ActionTaken.UNKNOWN, description="ICH E2B(R3) G.k.8.")
    exposure_ongoing: bool | None = Field(
        default=None, description="Whether it is still being given; null if unknown."
    )
    dechallenge: bool | None = Field(
        default=None, description="Whether the reaction abated on stopping; null if unknown."
    )
    rechallenge: bool | None = Field(
        default=None, description="Whether it came back on restarting; null if unknown."
    )
    relatedness: tuple[Relatedness, ...] = Field(
        default=(),
        max_length=500,
        description="Assessments whether it caused a reaction. They decide no count.",
    )
    discontinuation_advised: DiscontinuationAdvice | None = Field(
        default=None, description="Advice to stop, and whose."
    )
    source_material: SourceMaterial | None = Field(
        default=None, description="Tissue and donor of a biological product."
    )
    preparation: Preparation | None = Field(default=None, description="How the lot was made.")
    quality: Quality | None = Field(default=None, description="What was measured of the lot.")
    facility: Facility | None = Field(default=None, description="Where it was given.")

    @property
    def lot_normalised(self) -> str | None:
        """Return the lot as compared between reports: `normalise_lot(lot)`."""
        return normalise_lot(self.lot)
