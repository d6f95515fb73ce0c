"""One case of a line listing, without anything that identifies a person."""

from datetime import date

from pydantic import Field

from schemas.base import Message

__all__ = ["CaseLine", "LineProduct", "LineReaction"]


class LineReaction(Message):
    """A coded reaction, without the reporter's words."""

    term: str = Field(description="Preferred term.")
    onset: date | None = Field(description="First day; null if unknown.")
    onset_days: int | None = Field(description="Days from the first dose; null if unknown.")
    outcome: str = Field(description="ICH E2B(R3) E.i.7.")


class LineProduct(Message):
    """A coded product, without the reporter's words."""

    role: str = Field(description="ICH E2B(R3) G.k.1.")
    substances: tuple[str, ...] = Field(description="Active substances.")
    product_class: str | None = Field(description="Product class, if no substance is stated.")
    indication: str | None = Field(description="Coded term.")
    route: str | None = Field(description="Route of administration.")
    lot: str | None = Field(description="Lot, normalised; null if unknown.")
    manufacturer: str | None = Field(description="Who made it.")
    facility_id: str | None = Field(description="Pseudonym of the facility that gave it.")
    supply_route: str = Field(description="Supply route to the patient.")
    dechallenge: bool | None = Field(
        description="Dechallenge: whether it abated on stopping; null if unknown."
    )
    rechallenge: bool | None = Field(
        description="Rechallenge: whether it recurred; null if unknown."
    )


class CaseLine(Message):
    """The latest version of one case, for the authority tier.

    Left out are all free text (names as reported, reporters' words, relations to a clinic), exact
    age, weight, and numbers of the case elsewhere.
    """

    case_id: str = Field(description="Case id, as in alerts.")
    version: int = Field(description="The current version of the case.")
    nullified: bool = Field(description="Whether the case is nullified.")
    first_received: date = Field(description="Day of first receipt.")
    latest_received: date = Field(description="Day of the latest information.")
    country: str | None = Field(description="Country of occurrence, else of the reporter.")
    age_group: str = Field(description="ICH E2B(R3) D.2.3.")
    sex: str = Field(description="ICH E2B(R3) D.5.")
    reporter: str = Field(description="Role of the reporter.")
    qualification: str = Field(description="ICH E2B(R3) C.2.r.4.")
    verification: str = Field(description="Verification state of the report.")
    seriousness: tuple[str, ...] = Field(description="Criteria met.")
    reactions: tuple[LineReaction, ...] = Field(description="Every reaction.")
    products: tuple[LineProduct, ...] = Field(description="Every product.")
