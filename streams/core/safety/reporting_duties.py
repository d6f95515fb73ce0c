"""Reporting duties by jurisdiction, product class and supply route: a table, from `law.toml`.

An alert always states the duty, also when there is none: the reader must know it to decide whether
the absence of reports means safety.
"""

import tomllib
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from schemas.base import Message
from schemas.domain import DomainVocabulary, domain_vocabulary
from schemas.errors import InputError
from schemas.vocabulary import SupplyRoute
from streams.core.wording.catalogue import Language
from streams.core.wording.duties import duty_in_table, duty_not_in_table

__all__ = ["LawTable", "LegalFrame", "duty_lines", "law_table", "read_law"]

_Line = Annotated[str, Field(min_length=1)]


class LegalFrame(Message):
    """Duty of one jurisdiction for one class of products on one supply route, over a time."""

    jurisdiction: str = Field(
        pattern=r"^([A-Z]{2}|sport)$",
        description="ISO 3166-1 alpha-2, `EU` for its members as one, or `sport`.",
    )
    regulator: _Line = Field(description="Who is competent.")
    classes: tuple[str, ...] = Field(min_length=1, description="Codes of the product classes.")
    supply_route: SupplyRoute | None = Field(
        default=None, description="The route it holds for; null for every route."
    )
    valid_from: date | None = Field(default=None, description="First day; null: open.")
    valid_to: date | None = Field(default=None, description="Last day; null: open.")
    classification: _Line = Field(description="What the product is in this law.")
    duty: bool = Field(description="Whether somebody has to report an adverse event.")
    holder: str | None = Field(default=None, description="Who has to; null without a duty.")
    holder_ja: str | None = Field(default=None, description="The holder, in Japanese.")
    because: _Line = Field(description="Why there is a duty, or none, in full sentences.")
    because_ja: _Line | None = Field(default=None, description="The same in Japanese.")
    recipients: tuple[str, ...] = Field(description="Whom an alert concerns there.")
    recipients_ja: tuple[str, ...] = Field(default=(), description="The same in Japanese.")
    source: _Line = Field(description="Where this was read.")
    quote: _Line = Field(description="The quoted words of the source.")
    verified: bool = Field(description="Whether two sources, or the law itself, were read.")

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.duty != (self.holder is not None):
            msg = "a duty must have a holder, and only a duty has one"
            raise ValueError(msg)
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            msg = "valid_to must not be before valid_from"
            raise ValueError(msg)
        return self

    def holds_on(self, day: date) -> bool:
        """Return whether the frame is in force on a day."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day <= self.valid_to
        )


class LawTable(Message):
    """All legal frames, of one version of the data."""

    version: str = Field(min_length=1, description="Of the data; stands in every alert.")
    frames: tuple[LegalFrame, ...] = Field(description="In no order: the narrowest one holds.")

    def frames_for(
        self,
        jurisdiction: str,
        product_class: str,
        supply_route: SupplyRoute,
        day: date,
        *,
        vocabulary: DomainVocabulary | None = None,
    ) -> tuple[LegalFrame, ...]:
        """Return the frames in force: one; several if the supply route is not known; or none.

        A frame for the class itself precedes one for a class above it, and one for the route
        precedes one for every route. A member of the EU without frames of its own has the EU's.
        """
        known = vocabulary or domain_vocabulary()
        for place in (jurisdiction, "EU") if jurisdiction in _EU else (jurisdiction,):
            for code in known.classes_of(product_class):
                in_force = [
                    frame
                    for frame in self.frames
                    if frame.jurisdiction == place and code in frame.classes and frame.holds_on(day)
                ]
                if exact := [frame for frame in in_force if frame.supply_route is supply_route]:
                    return tuple(exact)
                any_route = [frame for frame in in_force if frame.supply_route is None]
                if any_route:
                    return tuple(any_route)
                if in_force and supply_route is SupplyRoute.UNKNOWN:
                    return tuple(in_force)
        return ()


def duty_lines(
    jurisdiction: str, frames: Sequence[LegalFrame], language: Language = Language.ENGLISH
) -> tuple[str, ...]:
    """Return the law lines of a jurisdiction: one an entry, or one that says there is none.

    Without a text in Japanese, the Japanese line has the English one.

    >>> frames = law_table().frames_for(
    ...     "JP", "culture-supernatant", SupplyRoute.PHYSICIAN_PRACTICE, date(2023, 11, 28))
    >>> duty_lines("JP", frames)[0]
    "Duty to report, Japan (physician's own practice): none. The Act on the Safety of Regenerative
    Medicine (ASRM) does not apply, because the product contains no cells."
    """
    if not frames:
        return (duty_not_in_table(jurisdiction, language),)
    ja = language is Language.JAPANESE
    return tuple(
        duty_in_table(
            jurisdiction,
            route=frame.supply_route,
            holder=(ja and frame.holder_ja) or frame.holder,
            recipients=(ja and frame.recipients_ja) or frame.recipients,
            because=(ja and frame.because_ja) or frame.because,
            verified=frame.verified,
            route_known=len(frames) == 1,
            language=language,
        )
        for frame in frames
    )


@lru_cache(maxsize=1)
def law_table() -> LawTable:
    """Return the table that is shipped."""
    return read_law(files("streams.core.safety").joinpath("law.toml").read_text(encoding="utf-8"))


def read_law(text: str) -> LawTable:
    """Read a table from TOML.

    Raises
    ------
    InputError
        If it is no TOML, a frame breaks a rule, or its class is not in the vocabulary.
    """
    try:
        table = TypeAdapter(LawTable).validate_python(tomllib.loads(text), strict=False)
    except tomllib.TOMLDecodeError as error:
        msg = f"law: must be TOML; got {error}"
        raise InputError(msg) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        msg = f"law: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise InputError(msg) from error
    known = domain_vocabulary().classes
    for number, frame in enumerate(table.frames):
        for code in frame.classes:
            if code not in known:
                msg = f"law: frames.{number}: must name classes of the vocabulary; got {code!r}"
                raise InputError(msg)
    return table


_EU = frozenset(
    {"AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"}
    | {"IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"}
)
"""Member states, ISO 3166-1 alpha-2."""
