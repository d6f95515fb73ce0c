"""Conditions of signal rules: comparisons and list look-ups, joined by all and any.

A condition gives its polars expression, its sentence, and the fewest cases at which it can hold.
`settled` fills in the lists supplied by the user, and drops parts without effect.

A comparison may state an exit: the bound that keeps a flagged pair on (hysteresis). The exit is
laxer than the entry, and no condition is negated, so a pair that satisfies the entry satisfies the
exit's bound as well.
"""

import math
import operator
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal, Union

import polars as pl
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError
from scipy.special import gammaincinv

from schemas.normal_form import normal_drug, normal_term

__all__ = ["STATISTICS", "AllOf", "AnyOf", "Comparison", "Condition", "Lists", "OnList"]

Lists = Mapping[str, Sequence[str]]

STATISTICS: Mapping[str, str] = MappingProxyType(
    {
        "n_observed": "cases observed",
        "n_drug": "cases with the drug",
        "n_event": "cases with the event",
        "n_total": "all cases",
        "expected": "cases expected",
        "prr": "PRR",
        "prr_lower": "lower 95% bound of the PRR",
        "prr_upper": "upper 95% bound of the PRR",
        "ror": "ROR",
        "ror_lower": "lower 95% bound of the ROR",
        "ror_upper": "upper 95% bound of the ROR",
        "chi2": "chi-squared",
        "chi2_yates": "chi-squared with Yates's correction",
        "rrr": "RRR",
        "ic": "IC",
        "ic_lower": "lower 95% bound of the IC",
        "ic_upper": "upper 95% bound of the IC",
        "expected_adjusted": "cases expected within strata",
        "ic_adjusted": "IC within strata",
        "ic_lower_adjusted": "lower 95% bound of the IC within strata",
        "ic_upper_adjusted": "upper 95% bound of the IC within strata",
        "bcpnn": "BCPNN information component",
        "bcpnn_lower": "lower 95% bound of the BCPNN information component",
        "bcpnn_upper": "upper 95% bound of the BCPNN information component",
        "fisher_p": "Fisher's exact p-value, one-sided",
        "fisher_mid_p": "Fisher's exact mid-p value, one-sided",
        "ebgm": "EBGM",
        "eb05": "EB05, lower end of the 90% interval of the EBGM,",
        "eb95": "EB95, upper end of the 90% interval of the EBGM,",
        "ebgm_adjusted": "EBGM within strata",
        "eb05_adjusted": "EB05 within strata, lower end of the 90% interval of the EBGM,",
        "eb95_adjusted": "EB95 within strata, upper end of the 90% interval of the EBGM,",
        "e_value": "e-value of the anytime-valid test",
        "log_e_value": "logarithm of the e-value of the anytime-valid test",
        "e_bh_level": "false discovery rate at which e-BH flags it",
        "e_value_blocked": "e-value of the anytime-valid test within age bands",
        "log_e_value_blocked": "logarithm of the e-value of the anytime-valid test within age "
        "bands",
        "e_bh_level_blocked": "false discovery rate at which e-BH flags it within age bands",
        "e_value_budgeted": "e-value of the anytime-valid test within age bands, scaled for "
        "new pairs,",
    }
)
"""Statistics that a rule may compare, with their names in words; add a statistic here."""

# A pair without a case has 0 or null here, so a threshold above 0 (for `>`: from 0 on) needs one.
_ZERO_WITHOUT_CASES = {"prr", "prr_lower", "ror", "ror_lower", "rrr"}

_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}
_OPPOSITE = {">=": "<", ">": "<=", "<=": ">", "<": ">="}


def _known_statistic(name: str) -> str:
    if name not in STATISTICS:
        kind, msg = "statistic", f"A statistic must be among {', '.join(STATISTICS)}"
        raise PydanticCustomError(kind, msg)
    return name


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Comparison(_Part):
    """A statistic against a number; a null or undefined statistic satisfies none."""

    statistic: Annotated[str, AfterValidator(_known_statistic)] = Field(
        description="Column of the scored frame; one of `STATISTICS`."
    )
    op: Literal[">=", ">", "<=", "<"] = Field(description="The exact inequality.")
    value: float = Field(description="Threshold it is compared with.", allow_inf_nan=False)
    exit: float | None = Field(
        default=None,
        description="What holds a pair that is flagged: it is let go where the statistic is "
        "undefined, or beyond this number. Laxer than `value`; null: let go where `op` fails.",
        allow_inf_nan=False,
    )

    @field_validator("exit")
    @classmethod
    def _laxer(cls, exit: float | None, info: ValidationInfo) -> float | None:
        op, value = info.data.get("op"), info.data.get("value")
        if exit is None or op is None or value is None:
            return exit
        if exit >= value if op in (">=", ">") else exit <= value:
            side = "below" if op in (">=", ">") else "above"
            kind, msg = "exit", f"An exit must be laxer than its entry: {side} {value:g}"
            raise PydanticCustomError(kind, msg)
        return exit

    @property
    def exit_bound(self) -> float:
        """Return the bound that holds a flagged pair: the exit, or without one the threshold."""
        return self._held[1]

    @property
    def _held(self) -> tuple[str, float]:
        return (self.op, self.value) if self.exit is None else (f"{self.op[0]}=", self.exit)

    def settled(self, lists: Lists) -> "Condition":
        """Return itself: no list is involved."""
        return self

    def expression(self, *, held: bool = False) -> pl.Expr:
        """Return the entry, or with `held` the exit bound, as a boolean column without nulls."""
        op, bound = self._held if held else (self.op, self.value)
        # NaN would count as larger than every number; as Float64 it is distinct from every value.
        column = pl.col(self.statistic).cast(pl.Float64).fill_nan(None)
        compared: pl.Expr = _COMPARE[op](column, bound)
        return compared.fill_null(False)

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Return whether the exit bound holds for the statistics of a pair, null if undefined."""
        op, bound = self._held
        value = row[self.statistic]
        return value is not None and bool(_COMPARE[op](value, bound))

    def sentence(self) -> str:
        """Return the condition in words, with its exact inequality."""
        return f"{STATISTICS[self.statistic]} {self.op} {self.value:g}"

    def exit_sentence(self) -> str:
        """Return the exit condition in words."""
        op, bound = self._held
        return f"{STATISTICS[self.statistic]} {_OPPOSITE[op]} {bound:g}"

    def floor(self) -> float:
        """Return the fewest cases at which the condition can hold."""
        if self.op in ("<", "<="):
            return 0
        strict = self.op == ">"
        if self.statistic == "n_observed":
            return max(0, math.floor(self.value) + 1 if strict else math.ceil(self.value))
        if self.statistic in _ZERO_WITHOUT_CASES:
            return 1 if self.value > 0 or (strict and self.value == 0) else 0
        if self.statistic == "ic_lower":
            return _fewest_cases_for_ic_lower(self.value)
        return 0


class OnList(_Part):
    """Condition that the pair's drug or event is on a list supplied by the user."""

    column: Literal["drug", "event"] = Field(
        description="Column looked up in the list, by normal form."
    )
    on_list: str = Field(description="Name of the list.")
    without_list: bool = Field(description="What holds where the user supplies no such list.")
    names: tuple[str, ...] | None = Field(
        default=None, description="The list, once supplied: normal forms in order, each once."
    )

    def settled(self, lists: Lists) -> "Condition | bool":
        """Return the condition with its list, or its default without one."""
        if self.on_list not in lists:
            return self.without_list
        form = normal_drug if self.column == "drug" else normal_term
        names = tuple(sorted(set(map(form, lists[self.on_list]))))
        return self.model_copy(update={"names": names}) if names else False

    def expression(self, *, held: bool = False) -> pl.Expr:
        """Return the condition as a boolean column without nulls; a list holds as it enters."""
        return pl.col(self.column).cast(pl.String).is_in(list(self.names or ())).fill_null(False)

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Return whether the name of a pair, in normal form, is on the list."""
        return row[self.column] in (self.names or ())

    def sentence(self) -> str:
        """Return the condition in words."""
        return f"{self.column} is on the list {self.on_list}"

    def exit_sentence(self) -> str:
        """Return the exit condition in words."""
        return f"{self.column} is not on the list {self.on_list}"

    def floor(self) -> float:
        """Return the fewest cases at which the condition can hold: none."""
        return 0


class AllOf(_Part):
    """Every one of several conditions."""

    all: tuple["Condition", ...] = Field(description="The conditions.", min_length=1)

    def settled(self, lists: Lists) -> "Condition | bool":
        """Return the condition with its lists, or the bool it comes down to."""
        parts = [part.settled(lists) for part in self.all]
        if any(part is False for part in parts):
            return False
        open_parts = tuple(part for part in parts if not isinstance(part, bool))
        if len(open_parts) > 1:
            return AllOf(all=open_parts)
        return open_parts[0] if open_parts else True

    def expression(self, *, held: bool = False) -> pl.Expr:
        """Return the entry, or with `held` the exit bound, as a boolean column without nulls."""
        return pl.all_horizontal([part.expression(held=held) for part in self.all])

    def sentence(self) -> str:
        """Return the condition in words; nested alternatives in brackets."""
        return " and ".join(_bracketed(part.sentence(), part, AnyOf) for part in self.all)

    def exit_sentence(self) -> str:
        """Return the exit condition in words."""
        return " or ".join(_bracketed(part.exit_sentence(), part, AnyOf) for part in self.all)

    def floor(self) -> float:
        """Return the fewest cases at which the condition can hold."""
        return max(part.floor() for part in self.all)


class AnyOf(_Part):
    """At least one of several conditions."""

    any: tuple["Condition", ...] = Field(description="The conditions.", min_length=1)

    def settled(self, lists: Lists) -> "Condition | bool":
        """Return the condition with its lists, or the bool it comes down to."""
        parts = [part.settled(lists) for part in self.any]
        if any(part is True for part in parts):
            return True
        open_parts = tuple(part for part in parts if not isinstance(part, bool))
        if len(open_parts) > 1:
            return AnyOf(any=open_parts)
        return open_parts[0] if open_parts else False

    def expression(self, *, held: bool = False) -> pl.Expr:
        """Return the entry, or with `held` the exit bound, as a boolean column without nulls."""
        return pl.any_horizontal([part.expression(held=held) for part in self.any])

    def sentence(self) -> str:
        """Return the condition in words; nested conjunctions in brackets."""
        return " or ".join(_bracketed(part.sentence(), part, AllOf) for part in self.any)

    def exit_sentence(self) -> str:
        """Return the exit condition in words."""
        return " and ".join(_bracketed(part.exit_sentence(), part, AllOf) for part in self.any)

    def floor(self) -> float:
        """Return the fewest cases at which the condition can hold."""
        return min(part.floor() for part in self.any)


def _kind(part: Any) -> str | None:
    """Return the kind of condition of a rule file's table, by its distinguishing key."""
    for key in ("statistic", "on_list", "all", "any"):
        if key in part if isinstance(part, dict) else hasattr(part, key):
            return key
    return None


Condition = Annotated[
    Union[  # noqa: UP007
        Annotated[Comparison, Tag("statistic")],
        Annotated[OnList, Tag("on_list")],
        Annotated[AllOf, Tag("all")],
        Annotated[AnyOf, Tag("any")],
    ],
    Discriminator(
        _kind,
        custom_error_type="condition",
        custom_error_message="A condition needs one of the keys statistic, on_list, all, any",
    ),
]
"""Any condition of a rule, discriminated by its keys."""

AllOf.model_rebuild()
AnyOf.model_rebuild()


def _bracketed(sentence: str, part: Any, kind: type[_Part]) -> str:
    return f"({sentence})" if isinstance(part, kind) else sentence


def _fewest_cases_for_ic_lower(value: float) -> int:
    """Return the smallest n at which the lower 95% bound of the IC can exceed `value`.

    The bound falls as the expected count grows, so its supremum over all tables is where E -> 0:
    ``log2(q / 0.5)``, q the 2.5% point of Gamma(n + 0.5, rate 1). That is -0.27 at two cases and
    0.76 at three, so ``ic_lower > 0`` needs three.
    """
    return bisect_right(
        range(2**40), value, key=lambda n: math.log2(gammaincinv(n + 0.5, 0.025) / 0.5)
    )
