"""A statistic among the cases of one indication or therapeutic area, beside the unrestricted."""

from collections.abc import Collection

import polars as pl

from detectors.case_frames import (
    CaseFrames,
    cell_counts,
    refuse,
    require_columns,
    require_pairs,
)
from detectors.reporting_odds_ratio import reporting_odds_ratio
from detectors.subgroups import Estimator, estimated
from schemas.counts import MARGINS, require_counts
from schemas.errors import InputError
from schemas.normal_form import normal_term

__all__ = ["restricted_comparator", "within_indication"]


def within_indication(
    frames: CaseFrames, indications: pl.DataFrame, terms: Collection[str]
) -> CaseFrames:
    """Restrict a population to the cases treated for one indication or therapeutic area.

    Cases of unknown indication are left out: check how many there are before relying on the
    others.

    Parameters
    ----------
    frames
        The whole population.
    indications
        Columns `case`, `indication`; a case may have several.
    terms
        The indication, or all that make up the area. Case and outer blanks do not matter.

    Returns
    -------
    CaseFrames
        The cases with any of the terms, with all their drugs and events.

    Raises
    ------
    CountsError
        If a column is missing or holds a null.
    InputError
        If no term is given.

    Examples
    --------
    >>> import polars as pl
    >>> cases = pl.DataFrame({"case": [1, 2]})
    >>> frames = CaseFrames(
    ...     cases, cases.with_columns(drug=pl.lit("A")), cases.with_columns(event=pl.lit("rash"))
    ... )
    >>> stated = pl.DataFrame({"case": [1, 2], "indication": ["Lung cancer", "Acne"]})
    >>> within_indication(frames, stated, ["lung cancer"]).counts().row(0)
    ('A', 'rash', 1, 1, 1, 1)
    """
    where = "within_indication"
    require_columns(f"{where}: indications", indications, ["case", "indication"])
    return frames.among(indications.filter(_named("indication", _folded(terms, where=where))))


def restricted_comparator(
    population: pl.DataFrame,
    restricted: pl.DataFrame,
    *,
    terms: Collection[str],
    events_of_indication: Collection[str] = (),
    estimator: Estimator = reporting_odds_ratio,
) -> pl.DataFrame:
    """Statistics of each pair among cases of one indication, beside the unrestricted ones.

    A patient treated for a cancer is at risk of its progression with any drug: restricting the
    comparator to the indication, or to the therapeutic area, removes this confounding. Its known
    failure is the opposite: it hides a true reaction that all treatments of the area share, and
    leaves few cases. So both numbers are shown, and neither replaces the other.

    Parameters
    ----------
    population
        Columns of `schemas.counts.COUNTS` over all cases; one row a pair; unit: cases.
    restricted
        The same over the cases of the indication only; rows may be fewer, in any order.
    terms
        The indication, or all that make up the area, to compare the events' names with.
    events_of_indication
        Events that are the disease by another name or its own course, such as 'Malignant neoplasm
        progression' for 'Lung cancer': a judgement that names cannot make.
    estimator
        What to compute: adds its columns to a counts frame, each row independent of the others.

    Returns
    -------
    polars.DataFrame
        `population`, same order, the estimator's columns; the counts and the estimator's columns
        among the indication's cases with the suffix `_restricted`; and `event_is_indication`.

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table, a pair stands in two rows, or the restricted
        table is not a part of the unrestricted one.
    InputError
        If no term is given, or the estimator does not keep the rows of its input.

    Notes
    -----
    `event_is_indication` is true where the event has the name of a term, or is among
    `events_of_indication`, case and outer blanks aside. Such a pair may well be confounded by
    indication; the flag changes no number.

    A pair without a row in `restricted` was not counted there: nulls. A pair counted there without
    a case (`CaseFrames.counts` with the population's pairs gives such rows) has the estimator's
    own zero-count conventions.

    References
    ----------
    .. [1] Grundmark B, Holmberg L, Garmo H, Zethelius B (2014). Reducing the noise in signal
       detection of adverse drug reactions by standardizing the background: a pilot study on
       analyses of proportional reporting ratios-by-therapeutic area. European Journal of Clinical
       Pharmacology 70(5), 627-635. doi:10.1007/s00228-014-1658-1.

    Examples
    --------
    4 cases of progression stand out among all reports, 4 x 19800 / (63 x 200), not among those of
    lung cancer, 4 x 210 / (2 x 90):

    >>> import polars as pl
    >>> pair = {"drug": ["X"], "event": ["Progression"], "n_observed": [4]}
    >>> result = restricted_comparator(
    ...     pl.DataFrame({**pair, "n_drug": [67], "n_event": [204], "n_total": [20067]}),
    ...     pl.DataFrame({**pair, "n_drug": [6], "n_event": [94], "n_total": [306]}),
    ...     terms=["Lung cancer"],
    ...     events_of_indication=["Progression"],
    ... )
    >>> result.select("ror", "ror_restricted", "ror_lower_restricted").row(0)
    (6.2857, 4.6667, 0.8396)
    >>> result["event_is_indication"].item()
    True
    """
    where = "restricted_comparator"
    names = _folded(terms, where=where) | {normal_term(event) for event in events_of_indication}
    for counts in (population, restricted):
        require_pairs(counts, where=where)
        require_counts(counts, where=where)
    keys = ["drug", "event"]
    within = restricted.select(*keys, *MARGINS)
    narrow = estimated(estimator, within, where=where).rename(
        lambda name: name if name in keys else f"{name}_restricted"
    )
    beside = estimated(estimator, population, where=where).join(
        narrow, on=keys, how="left", maintain_order="left"
    )
    _require_part(beside, where=where)
    return beside.with_columns(_named("event", names).alias("event_is_indication"))


def _folded(terms: Collection[str], *, where: str) -> set[str]:
    folded = {normal_term(term) for term in terms}
    if not folded:
        msg = f"{where}: terms must name at least one indication; got none"
        raise InputError(msg)
    return folded


def _named(column: str, folded: set[str]) -> pl.Expr:
    form = pl.col(column).map_elements(normal_term, return_dtype=pl.String)
    return form.is_in(sorted(folded))


def _require_part(beside: pl.DataFrame, *, where: str) -> None:
    """Raise unless every cell of the restricted table is at most that of the whole one."""
    narrow = [f"{name}_restricted" for name in MARGINS]
    larger = [
        part > whole
        for part, whole in zip(cell_counts(*narrow), cell_counts(*MARGINS), strict=True)
    ]
    refuse(
        beside.select("drug", "event", *MARGINS, *narrow),
        pl.any_horizontal(larger),
        f"{where}: the restricted cases must be a part of the population",
    )
