"""Bystanders: pairs that another product explains, since both are reported in the same cases."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import gammaincinv, ndtri

from detectors.case_frames import CaseFrames
from detectors.information_component import SHRINKAGE, adjusted_information_component
from detectors.intervals import tail_mass
from detectors.poisson_lasso import poisson_lasso
from schemas.errors import CountsError, InputError

__all__ = ["EXPLANATIONS", "FEWEST_SHARED", "LEAST_SHARE", "ProductGroups", "explanations"]

LEAST_SHARE = 0.3
"""Least share of a pair's cases that name a product which may explain it; a judgement."""

FEWEST_SHARED = 3
"""Fewest cases that do: with fewer no bound is above 0, so nothing can be said of the product."""

EXPLANATIONS = pl.Schema(
    {
        "product": pl.String(),
        "n_shared": pl.Int64(),
        "share": pl.Float64(),
        "n_observed": pl.Int64(),
        "n_drug": pl.Int64(),
        "n_event": pl.Int64(),
        "n_total": pl.Int64(),
        "expected_adjusted": pl.Float64(),
        "ic_adjusted": pl.Float64(),
        "ic_lower_adjusted": pl.Float64(),
        "ic_upper_adjusted": pl.Float64(),
    }
)
"""Columns of `explanations`."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_WHERE = "explanations"
_MOST = 1 << 61  # of a code of products and stratum, before the codes are replaced by their ranks


@dataclass(frozen=True, eq=False)
class ProductGroups:
    """The cases of a population, with or without one event, by the products named and stratum.

    Parameters
    ----------
    products
        Names, sorted: the pair's product and those that may explain it.
    named
        One row a group, one column a product: whether the cases of the group name it.
    stratum
        Of each group: 0, 1, 2 and so on, in the order of the strata's names.
    n_total, n_event
        Of each group: its cases, and those with the event [cases].

    Raises
    ------
    CountsError
        If the products are not sorted and distinct, the arrays do not belong together, or a group
        has more cases with the event than cases.
    """

    products: tuple[str, ...]
    named: Flags
    stratum: Ints
    n_total: Ints
    n_event: Ints

    def __post_init__(self) -> None:
        """Raise if the groups cannot be those of a population."""
        if list(self.products) != sorted(set(self.products)):
            msg = f"ProductGroups: products must be sorted, each once; got {self.products}"
            raise CountsError(msg)
        sizes = {len(self.named), len(self.stratum), len(self.n_total), len(self.n_event)}
        if len(sizes) > 1 or self.named.shape[1] != len(self.products):
            msg = (
                "ProductGroups: named must have a row a group and a column a product; got "
                f"{self.named.shape} for {len(self.n_total)} groups and {self.products}"
            )
            raise CountsError(msg)
        bad = np.flatnonzero((self.n_event < 0) | (self.n_event > self.n_total))
        if len(bad):
            first = int(bad[0])
            msg = (
                "ProductGroups: 0 <= n_event <= n_total must hold in every group; "
                f"{len(bad)} break it, first group {first} with {self.n_event[first]} of "
                f"{self.n_total[first]} cases"
            )
            raise CountsError(msg)

    @classmethod
    def of_frames(
        cls, frames: CaseFrames, drug: str, event: str, *, stratum: str | None = None
    ) -> Self:
        """Group the cases of a population by the products of one pair's cases.

        Parameters
        ----------
        frames
            The population.
        drug, event
            The pair; the other products are those named by at least `FEWEST_SHARED` of its cases
            and a share of `LEAST_SHARE`.
        stratum
            Column of `frames.cases` that names the stratum; a null is 'unknown'. None: no strata.
        """
        named = frames.drugs.filter(pl.col("drug") == drug).select("case")
        with_event = frames.events.filter(pl.col("event") == event).select("case")
        of_pair = frames.drugs.join(named, on="case", how="semi").join(
            with_event, on="case", how="semi"
        )
        counted = of_pair.group_by("drug").len()
        n_observed = of_pair.filter(pl.col("drug") == drug).height
        least = max(FEWEST_SHARED, LEAST_SHARE * n_observed)
        often = counted.filter(pl.col("len") >= least)["drug"].to_list()
        products = tuple(sorted({drug, *often}))
        strata = pl.lit("all") if stratum is None else pl.col(stratum).cast(pl.String)
        cases = frames.cases.select("case", strata.fill_null("unknown").alias("stratum"))
        for name in products:
            naming = frames.drugs.filter(pl.col("drug") == name).select("case", pl.lit(True))
            cases = cases.join(naming.rename({"literal": name}), on="case", how="left")
        cases = cases.join(with_event.with_columns(n_event=1), on="case", how="left").fill_null(0)
        return cls.of_cases(
            products,
            cases.select(pl.col(products).fill_null(False)).to_numpy(),
            (cases["stratum"].rank("dense").cast(pl.Int64) - 1).to_numpy(),
            np.ones(cases.height, dtype=np.int64),
            cases["n_event"].cast(pl.Int64).to_numpy(),
        )

    @classmethod
    def of_cases(
        cls,
        products: tuple[str, ...],
        named: Flags,
        stratum: Ints,
        n_total: Ints,
        n_event: Ints,
    ) -> Self:
        """Sum cases, in any order, to groups: one for each set of products and stratum.

        The parameters are those of the class, with a row a case or a part of a group; `n_total`
        and `n_event` may be negative for a part that is taken off.
        """
        code = stratum
        for column in named.T:
            if len(code) and code.max() >= _MOST:
                code = np.unique(code, return_inverse=True)[1].reshape(-1)
            code = code << 1 | column
        _, first, place = np.unique(code, return_index=True, return_inverse=True)
        total, event = (np.zeros(len(first), dtype=np.int64) for _ in range(2))
        np.add.at(total, place, n_total)
        np.add.at(event, place, n_event)
        kept = total != 0
        return cls(
            products,
            named[first[kept]],
            stratum[first[kept]],
            total[kept],
            event[kept],
        )


class _Table(NamedTuple):
    """A pair's counts among some groups."""

    n_observed: int
    n_drug: int
    n_event: int
    n_total: int
    expected_adjusted: float


def explanations(
    groups: ProductGroups, drug: str, *, least_share: float = LEAST_SHARE, level: float = 0.95
) -> pl.DataFrame:
    """Products that explain one pair, each with the pair's counts and IC without its cases.

    A product given together with a culprit is reported with the culprit's reactions: an innocent
    bystander. Its known failures: of two products that are never apart neither explains the other;
    of a pair that only several products explain together, none does; and a product that causes the
    event may be explained by one that causes it more often.

    Parameters
    ----------
    groups
        All cases of the population.
    drug
        The pair's product, one of those of the groups.
    least_share
        Least share of the pair's cases that name the other product, in (0, 1].
    level
        Mass of the interval of the IC, in (0, 1); the penalty is the normal quantile of its end.

    Returns
    -------
    polars.DataFrame
        One row for every product that explains the pair, by share and then name: the columns of
        `EXPLANATIONS`. `n_shared` [cases] and `share` are of the pair's cases; the counts [cases],
        the expected count within strata [cases] and the IC [log2 units] are of the pair among the
        cases that do not name the product.

    Raises
    ------
    InputError
        If the drug is not among the products, or an argument is out of its range.

    Notes
    -----
    A product c explains the pair of drug d if all of these hold:

    1. at least `FEWEST_SHARED` and `least_share` of the pair's cases name c;
    2. without the cases that name c, the lower bound of the pair's IC is not above 0;
    3. without the cases that name d, the IC of c with the event is above 0, and its lower bound
       above that of the pair in 2;
    4. in the regression d has no coefficient above 0, and c has.

    By 3, two products never explain each other. The regression is a Poisson LASSO of the
    groups' cases with the event on the products named, of which there are only the drug and those
    of step 1. The exposure of a group is its expected count within strata, so a coefficient is the
    log of a rate ratio beside the other products. See `poisson_lasso`; the penalty of a product is
    z times the square root of its expected cases, z = 1.96 at level 0.95: what a product without an
    effect of its own exceeds by chance once in twenty. It is fixed, so nothing is drawn at random.

    A regression that does not converge explains nothing.

    References
    ----------
    .. [1] Caster O, Norén GN, Madigan D, Bate A (2010). Large-scale regression-based pattern
       discovery: the example of screening the WHO global drug safety database. Statistical
       Analysis and Data Mining 3(4), 197-208. doi:10.1002/sam.10078. (Not read.)
    .. [2] DuMouchel W, Harpaz R (2012). Regression-adjusted GPS algorithm (RGPS). Oracle Health
       Sciences white paper: Poisson regression on expected counts within strata. (Not read.)

    Examples
    --------
    Of 40 cases with the event that name B, 36 name A too; A alone has it as often:

    >>> import numpy as np
    >>> groups = ProductGroups(
    ...     ("A", "B"),
    ...     np.array([[False, False], [False, True], [True, False], [True, True]]),
    ...     np.zeros(4, dtype=np.int64),
    ...     np.array([10_000, 400, 400, 360]),
    ...     np.array([100, 4, 40, 36]),
    ... )
    >>> explanations(groups, "B").select("product", "n_shared", "share", "n_observed").row(0)
    ('A', 36, 0.9, 4)
    >>> explanations(groups, "A").height
    0
    """
    tail = tail_mass(level, where=_WHERE)
    if not 0 < least_share <= 1:
        msg = f"{_WHERE}: least_share must be in (0, 1]; got {least_share!r}"
        raise InputError(msg)
    if drug not in groups.products:
        msg = f"{_WHERE}: drug must be one of the products {groups.products}; got {drug!r}"
        raise InputError(msg)
    at = groups.products.index(drug)
    shared = groups.n_event[groups.named[:, at]] @ groups.named[groups.named[:, at]]
    often = [
        other
        for other in range(len(groups.products))
        if other != at and shared[other] >= max(FEWEST_SHARED, least_share * shared[at])
    ]
    without = [_table(groups, at, other) for other in often]
    apart = [_table(groups, other, at) for other in often]
    possible = np.array(
        [
            _bound(one, tail) <= 1
            and other.n_observed > other.expected_adjusted
            and _bound(other, tail) > _bound(one, tail)
            for one, other in zip(without, apart, strict=True)
        ]
    )
    if not possible.any():
        return pl.DataFrame(schema=EXPLANATIONS)
    columns = sorted([at, *often])
    found = _regression(groups, columns, float(-ndtri(tail)))
    rates = dict(zip(columns, found.tolist(), strict=True))
    raised = np.array([rates[other] > 0 for other in often])
    explains = np.flatnonzero(possible & raised & (rates[at] <= 0)).tolist()
    scored = adjusted_information_component(_frame([without[one] for one in explains]), level=level)
    named_by = shared[[often[one] for one in explains]]
    return (
        scored.with_columns(
            pl.Series("product", [groups.products[often[one]] for one in explains], pl.String),
            pl.Series("n_shared", named_by.astype(np.int64)),
            pl.Series("share", named_by / float(shared[at])),
        )
        .sort("share", "product", descending=[True, False])
        .select(EXPLANATIONS.names())
    )


def _regression(groups: ProductGroups, columns: list[int], z: float) -> Floats:
    """Return the log rate ratio of each of the products."""
    in_stratum = np.bincount(groups.stratum, groups.n_total)
    with_event = np.bincount(groups.stratum, groups.n_event)
    rate = np.divide(with_event, in_stratum, out=np.zeros_like(with_event), where=in_stratum > 0)
    distinct, place = np.unique(groups.named[:, columns], axis=0, return_inverse=True)
    place = place.reshape(-1)
    expected = np.bincount(place, groups.n_total * rate[groups.stratum]).astype(np.float64)
    n_event = np.bincount(place, groups.n_event).astype(np.int64)
    penalties: Floats = z * np.sqrt(expected @ distinct)
    return poisson_lasso(distinct, n_event, expected, penalties)


def _table(groups: ProductGroups, at: int, out: int) -> _Table:
    """Return the counts of a product with the event among the cases that do not name another."""
    kept = ~groups.named[:, out]
    strata, total, event = groups.stratum[kept], groups.n_total[kept], groups.n_event[kept]
    mine = groups.named[kept, at]
    size = int(groups.stratum.max(initial=-1)) + 1
    drugs = np.bincount(strata[mine], total[mine], size)
    events = np.bincount(strata, event, size)
    counted = np.bincount(strata, total, size)
    products = np.divide(drugs * events, counted, out=np.zeros(size), where=counted > 0)
    expected = products.cumsum()[-1] if size else 0  # one after the other: a 0 changes no bit
    counts = (event[mine].sum(), total[mine].sum(), event.sum(), total.sum())
    n_observed, n_drug, n_event, n_total = map(int, counts)
    return _Table(n_observed, n_drug, n_event, n_total, float(expected))


def _bound(table: _Table, tail: float) -> float:
    """Return the lower bound of observed over expected: 2 to the power of the IC's."""
    quantile = float(gammaincinv(table.n_observed + SHRINKAGE, tail))
    return quantile / (table.expected_adjusted + SHRINKAGE)


def _frame(tables: list[_Table]) -> pl.DataFrame:
    schema = {name: EXPLANATIONS[name] for name in _Table._fields}
    return pl.DataFrame(tables, schema=schema, orient="row")
