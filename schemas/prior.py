"""Refit of the EBGM prior: from its day on, every EBGM is computed with the new prior."""

from datetime import date
from typing import Literal

from pydantic import Field, JsonValue

from schemas.alert import InputOffset
from schemas.base import Message

__all__ = ["PriorRefit"]


class PriorRefit(Message):
    """One refit of one of the two priors. Alerts name their priors by their ids."""

    schema_version: Literal["1.0"] = Field(default="1.0", description="Version of this schema.")
    prior_id: str = Field(description="SHA-256 of the prior's content.")
    previous_prior_id: str | None = Field(
        description="The prior of the same `expected` that it replaces; null if the first."
    )
    fitted_on: date = Field(description="Event-time day of the fit, not a clock reading.")
    expected: Literal["crude", "adjusted"] = Field(
        default="crude",
        description="Expected counts it was fitted to: `adjusted` are summed within strata, for "
        "EBGM within strata.",
    )
    window: str = Field(description="Label of the window whose counts it was fitted to.")
    prior: dict[str, JsonValue] = Field(
        description="The prior with the facts of its fit: a `GammaMixture` as JSON, exact."
    )
    warnings: tuple[str, ...] = Field(description="Warnings about the fit; often none.")
    as_of: tuple[InputOffset, ...] = Field(description="Input the counts were made from.")
