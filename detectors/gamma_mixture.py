"""The prior of the gamma-Poisson shrinker: a mixture of two gammas, as a storable value."""

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import expit, gammaln

from detectors.arguments import finite_numbers, whole_numbers
from detectors.cells import with_statistics
from detectors.expected import EXPECTED_CRUDE
from detectors.squashing import Squashing
from schemas.counts import require_counts
from schemas.errors import CountsError

__all__ = ["FitFacts", "GammaMixture", "Likelihood", "of_count", "with_expected"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_TABLE = 1024  # counts below this are looked up

Likelihood = Literal["untruncated", "truncated_mixture", "mixture_of_truncated"]
"""Which likelihood a prior maximises; `detectors.gamma_mixture_likelihood` defines the three."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FitFacts(_Value):
    """Facts of a fit of the prior: method, convergence and diagnostics."""

    log_likelihood: Finite = Field(description="At the winner, all constants included.")
    gradient: Finite = Field(
        description="Largest slope of the mean log-likelihood in a free log parameter; 0 at a peak."
    )
    n_pairs: int = Field(description="Pairs that entered the likelihood.", ge=1)
    n_points: int = Field(description="Points they were squashed to.", ge=1)
    n_starts: int = Field(description="Starting points of the search.", ge=1)
    n_converged: int = Field(description="Of these, how many ended on a peak.", ge=1)
    n_optima: int = Field(description="Distinct peaks found; more than one is usual.", ge=1)
    spread: Finite = Field(
        description="Log-likelihood of the best minus that of the worst peak found.", ge=0
    )
    boundary: tuple[str, ...] = Field(
        description="Parameters of the winner that lie at the edge of the search; none, if sound."
    )
    squashing: Squashing | None = Field(description="How the pairs were squashed; null: not.")
    points_hash: str = Field(
        description="SHA-256 of the sorted points (count, expected, weight) that were fitted.",
        pattern="^[0-9a-f]{64}$",
    )
    # Left out where null, so that a prior fitted to the crude counts keeps its `prior_id`.
    expected: str | None = Field(
        default=None,
        description="Column with the expected cases that it was fitted to; null: the crude ones.",
        exclude_if=lambda column: column is None,
    )


class GammaMixture(_Value):
    """The prior of a pair's rate ratio: ``weight`` Gamma(1) + (1 - ``weight``) Gamma(2).

    The first component is the one with the larger mean, where the signals are. A prior is fitted
    once and kept: refitted on every batch, it would make every EB05 jump. Equal `prior_id`, equal
    prior: it belongs in the provenance of each alert that was scored with it.

    Examples
    --------
    >>> prior = GammaMixture(
    ...     alpha1=3.25, beta1=0.4, alpha2=2.02, beta2=1.9, weight=0.065,
    ...     likelihood="mixture_of_truncated",
    ... )
    >>> GammaMixture.model_validate_json(prior.model_dump_json()) == prior
    True
    >>> prior.prior_id[:12]
    '7fe9e7508133'
    """

    version: Literal[1] = Field(default=1, description="Version of this layout.")
    alpha1: Positive = Field(description="Shape of the first component.")
    beta1: Positive = Field(description="Rate of the first component [cases].")
    alpha2: Positive = Field(description="Shape of the second component.")
    beta2: Positive = Field(description="Rate of the second component [cases].")
    weight: float = Field(description="Share of the first component.", gt=0, lt=1)
    likelihood: Likelihood = Field(description="Which likelihood it maximises.")
    fit: FitFacts | None = Field(
        default=None, description="How it was fitted; null if it was taken from elsewhere."
    )

    @property
    def prior_id(self) -> str:
        """SHA-256 of the whole content as canonical JSON."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()

    def log_odds(self, n: Counts, expected: Floats) -> Floats:
        """Return the posterior log-odds of the first component, given count and expectation.

        Raises
        ------
        InputError
            If a count is not whole, an expectation not finite, or one is negative.
        """
        n = whole_numbers(n, "n", where="GammaMixture")
        expected = finite_numbers(expected, "expected", where="GammaMixture")
        a1, b1, a2, b2 = self.alpha1, self.beta1, self.alpha2, self.beta2
        constant = np.log(self.weight) - np.log1p(-self.weight)
        constant += a1 * np.log(b1) - gammaln(a1) - a2 * np.log(b2) + gammaln(a2)

        def shapes(n: Counts) -> Floats:
            return gammaln(a1 + n) - gammaln(a2 + n)  # type: ignore[no-any-return]

        odds = of_count(shapes, n)
        odds += constant
        odds += (a2 + n) * np.log(b2 + expected)
        odds -= (a1 + n) * np.log(b1 + expected)
        return odds

    def posterior_weight(self, n: Counts, expected: Floats) -> Floats:
        """Return the posterior share of the first component, Q (DuMouchel 1999, eq. 5)."""
        return expit(self.log_odds(n, expected))  # type: ignore[no-any-return]


def of_count(function: Callable[[Counts], Floats], n: Counts) -> Floats:
    """Return ``function(n)``, each small count computed once: most of millions are below ten."""
    small = function(np.arange(_TABLE, dtype=np.int64))
    values = small[np.minimum(n, _TABLE - 1)]
    large = np.flatnonzero(n >= _TABLE)
    values[large] = function(n[large])
    return values


def with_expected(table: pl.DataFrame, column: str | None, *, where: str) -> pl.DataFrame:
    """Return the table of counts with a column `expected`: the crude one, or a copy of `column`.

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table, or `column` is missing or holds anything
        but finite numbers of cases, or no case is expected where some were observed.
    """
    require_counts(table, where=where)
    if column is None:
        return with_statistics(table, [EXPECTED_CRUDE.alias("expected")])
    if column not in table.columns or not table.schema[column].is_numeric():
        msg = f"{where}: expected must name a column of numbers; got {column!r} of {table.schema}"
        raise CountsError(msg)
    value = pl.col(column).cast(pl.Float64)
    sound = value.is_finite() & ((value > 0) | ((value == 0) & (pl.col("n_observed") == 0)))
    bad = table.filter(~sound.fill_null(False))
    if bad.height:
        msg = (
            f"{where}: {column} must be a finite number of cases, above 0 where a case was "
            f"observed; {bad.height} of {table.height} rows break it, "
            f"first {bad.row(0, named=True)}"
        )
        raise CountsError(msg)
    return table.with_columns(value.alias("expected"))
