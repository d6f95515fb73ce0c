"""One line of a line listing: what an assessor needs of a case, and nothing that names anybody."""

from datetime import date

from pydantic import Field

from schemas.base import Message

__all__ = ["CaseLine", "LineProduct", "LineReaction"]


class LineReaction(Message):
    """A reaction, as coded; no words of the reporter."""

    term: str = Field(description="Preferred term.")
    onset: date | None = Field(description="First day; null if unknown.")
    onset_days: int | None = Field(description="Days from the first dose; null if unknown.")
    outcome: str = Field(description="ICH E2B(R3) E.i.7.")


class LineProduct(Message):
    """A product, as coded; no words of the reporter."""

    role: str = Field(description="ICH E2B(R3) G.k.1.")
    substances: tuple[str, ...] = Field(description="Active substances.")
    product_class: str | None = Field(description="Class, where there is no substance.")
    indication: str | None = Field(description="Coded term.")
    route: str | None = Field(description="Route of administration.")
    lot: str | None = Field(description="Lot, normalised; null if unknown.")
    manufacturer: str | None = Field(description="Who made it.")
    facility_id: str | None = Field(description="Pseudonym of where it was given.")
    supply_route: str = Field(description="How it reached the patient.")
    dechallenge: bool | None = Field(description="Whether it abated on stopping; null if unknown.")
    rechallenge: bool | None = Field(description="Whether it came back; null if unknown.")


class CaseLine(Message):
    """The latest version of one case, for the authority tier.

    Left out are all free text (names as reported, reporters' words, relations to a clinic), exact
    age, weight, and numbers of the case elsewhere.
    """

    case_id: str = Field(description="As alerts have it.")
    version: int = Field(description="The version that holds.")
    nullified: bool = Field(description="Whether the case is void.")
    first_received: date = Field(description="Day of first receipt.")
    latest_received: date = Field(description="Day of the latest information.")
    country: str | None = Field(description="Where it occurred, else of the reporter.")
    age_group: str = Field(description="ICH E2B(R3) D.2.3.")
    sex: str = Field(description="ICH E2B(R3) D.5.")
    reporter: str = Field(description="Role of the reporter.")
    qualification: str = Field(description="ICH E2B(R3) C.2.r.4.")
    verification: str = Field(description="How far it is known to be true.")
    seriousness: tuple[str, ...] = Field(description="Criteria met.")
    reactions: tuple[LineReaction, ...] = Field(description="Every reaction.")
    products: tuple[LineProduct, ...] = Field(description="Every product.")
