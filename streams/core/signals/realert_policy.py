"""Re-alert policy, as data: new evidence for which an active signal is published again."""

import hashlib
import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.domain import domain_vocabulary
from schemas.errors import InputError
from schemas.normal_form import normal_term

__all__ = ["AlertPolicy", "load_policy"]


class AlertPolicy(BaseModel):
    """Substantial new evidence, measured from the last published revision.

    The policy decides only on evidence that strengthens a signal. A rule that goes off and
    retracted cases are always published.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    more_cases: int | None = Field(
        ge=1, description="At least so many more cases than published; null: however many."
    )
    more_cases_factor: float = Field(
        ge=1, allow_inf_nan=False, description="And at least so many times as many."
    )
    ic_lower_rise: float | None = Field(
        gt=0,
        allow_inf_nan=False,
        description="IC025 at least so much above the published one [log2 units]; null: however.",
    )
    further_rule: bool = Field(description="A rule is on that was not.")
    first_fatal: bool = Field(description="A fatal case, where none was published.")
    first_paediatric: bool = Field(description="A patient under 18 years, likewise.")
    new_region: bool = Field(description="A region of which no case was published.")
    new_country: bool = Field(description="Likewise a country, of products of the domain.")
    new_lot: bool = Field(description="Likewise a lot.")
    new_facility: bool = Field(description="Likewise a facility.")
    first_designated: bool = Field(description="Likewise a case with a designated event.")
    verification_changed: bool = Field(
        description="A rumour or series that it belongs to was confirmed or refuted since."
    )
    exposure_ongoing: bool = Field(description="The product is given still, which was not known.")
    designated_events: list[str] = Field(
        description="Terms that make an alert urgent; `family:` and a code for a hazard family."
    )

    @property
    def designated(self) -> frozenset[str]:
        """Return the normal forms of the designated terms, those of families included."""
        families = domain_vocabulary().families
        found = set(self.designated_events)
        for code, family in families.items():
            if f"family:{code}" in found:
                found.update(family.terms)
        return frozenset(map(normal_term, found))

    @model_validator(mode="after")
    def _knows_its_families(self) -> Self:
        for name in self.designated_events:
            code = name.removeprefix("family:")
            if code != name and code not in domain_vocabulary().families:
                msg = "designated_events must name hazard families of the vocabulary"
                raise ValueError(msg)
        return self

    @property
    def policy_hash(self) -> str:
        """Return the SHA-256 of its values as canonical JSON: equal hash, equal decisions."""
        content = json.dumps(self.model_dump(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()


_MAY_BE_NULL = ("more_cases", "ic_lower_rise")  # TOML has no null: `false` stands for it

_DEFAULTS: dict[str, Any] = tomllib.loads(
    files("streams.core.signals").joinpath("policy.toml").read_text(encoding="utf-8")
)


def load_policy(path: Path | None = None) -> AlertPolicy:
    """Read a policy file over the defaults of `policy.toml`; without one, the defaults.

    Raises
    ------
    InputError
        If the file cannot be read, or a key or value of it is not known.

    Examples
    --------
    >>> load_policy().more_cases
    3
    """
    try:
        own = {} if path is None else tomllib.loads(path.read_text(encoding="utf-8"))
        off = {name: None for name in _MAY_BE_NULL if own.get(name) is False}
        return AlertPolicy.model_validate(_DEFAULTS | own | off)
    except ValidationError as error:
        first = error.errors()[0]
        key = first["loc"][0] if first["loc"] else "designated_events"
        msg = f"policy {path}: key {key!r} is malformed: {first['msg']}; "
        msg += f"got {first['input']!r}"
        raise InputError(msg) from error
    except (OSError, ValueError) as error:
        msg = f"policy: {path} must be a readable TOML file; got {error}"
        raise InputError(msg) from error
