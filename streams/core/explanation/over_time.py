"""The pair over time: onset after the first dose, and the sequential test day by day."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from detectors.anytime_valid_path import evidence_path
from detectors.anytime_valid_state import daily_counts, without_repeats
from detectors.time_to_onset import time_to_onset
from detectors.truncated_onset import truncated_onset
from streams.core.alerts.case_sources import Origins
from streams.core.cases.strata import BAND_UNIT
from streams.core.counting.coded_cases import CodedCases
from streams.core.explanation.population import Population
from streams.core.explanation.section import Section
from streams.core.signals.counts_view import CountsView

__all__ = ["daily_evidence", "time_sections"]

_MARKS = (2.0, 8.0, 20.0)
_SHOWN = 14


def time_sections(population: Population, view: CountsView, last_day: int) -> Iterator[Section]:
    """Yield the sections on time.

    Parameters
    ----------
    population, view
        The cases, and the counts that they come from.
    last_day
        Last day that the test covers [days since 1970-01-01].
    """
    yield _onset(population)
    yield _path(population, view, last_day)


def _onset(population: Population) -> Section:
    pair, onsets = population.pair, population.onsets
    fitted = time_to_onset(pair, onsets.drop("report_days")).row(0, named=True)
    corrected = truncated_onset(pair, onsets).row(0, named=True)
    row: dict[str, Any] = {**fitted, **corrected}
    del row["drug"], row["event"]
    n = population.cases_with(drug=population.drug, event=population.event).height
    return Section(
        "onset",
        "Days from the first dose to the onset",
        "A pattern of its own supports a reaction; an onset after the report is never reported.",
        [{"measure": name, "value": value} for name, value in row.items()],
        remark=f"{row['n_onset']:,} of {n:,} cases state both days. The correction is for onsets "
        "of at most longest_days.",
        shown=30,
    )


def daily_evidence(
    population: Population, view: CodedCases, last_day: int, *, by_sex: bool
) -> pl.DataFrame:
    """Return the sequential test of the pair after each day that changed it.

    Parameters
    ----------
    population, view
        The cases around the pair, and the counts that they come from.
    last_day
        Last day that the test covers [days since 1970-01-01].
    by_sex
        Whether the blocks of the test are of one sex as well.

    Returns
    -------
    polars.DataFrame
        Result of `detectors.anytime_valid_path.evidence_path`; without columns if no case names
        the drug, or none the event.
    """
    rows = view.levels.without_levels(view.log.rows().filter(pl.col("day") <= last_day))
    sources = Origins(view.origins).parts["source"]
    block = pl.col("block") if by_sex else pl.col("block") // BAND_UNIT
    blocked = rows.with_columns(block, sources.gather(rows["origin"]).alias("source"))
    drug, event = view.drugs.find(population.drug), view.events.find(population.event)
    if drug is None or event is None:
        return pl.DataFrame()
    return evidence_path(daily_counts(without_repeats(blocked)), drug, event)


def _path(population: Population, view: CountsView, last_day: int) -> Section:
    path = daily_evidence(population, view, last_day, by_sex=view.tests.by_sex)
    title = "Sequential test, day by day within age bands"
    says = "The e-value after each day with a case of the drug and of the event in an age band."
    if path.is_empty():
        remark = "No day has a case of both in one age band; lots, facilities and families are not "
        return Section("sequential", title, says, [], remark=remark + "tested.")
    passed = []
    for mark in _MARKS:
        above = path.filter(pl.col("e_value") >= mark)
        if above.height:
            passed.append(f"{mark:g} first on {above['day'][0]}")
    values = path["e_value"].to_numpy()
    remark = (
        f"{path.height:,} days; {'; '.join(passed) or 'it never reached 2'}; highest "
        f"{values.max():.3g}; now {values[-1]:.3g}. Copies of a report, and alike reports of a "
        "source on a day, enter once. The last days come first."
    )
    return Section(
        "sequential", title, says, path.reverse().to_dicts(), remark=remark, shown=_SHOWN
    )
