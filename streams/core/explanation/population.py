"""The counted cases of a run as the frames that the estimators of `detectors` take."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from detectors.case_frames import UNKNOWN, CaseFrames
from schemas.delta import STRATUM
from schemas.vocabulary import Sex
from streams.core.cases.chronology import START
from streams.core.cases.provenance import parse_origin
from streams.core.cases.strata import BAND_UNIT, AgeBands
from streams.core.counting.case_codes import UNIT
from streams.core.counting.coded_cases import CodedCases
from streams.core.counting.vocabulary import Vocabulary

__all__ = ["STRATUM_COLUMN", "Population", "population_of"]

STRATUM_COLUMN = "stratum"
"""Column of the strata of the decisions: calendar quarter, age band and sex."""

_EPOCH_ORDINAL = 719_163  # of 1970-01-01
_SEXES = [sex.value for sex in Sex]


@dataclass(frozen=True, slots=True)
class Population:
    """The counted cases, without lots, facilities and families unless they are asked for.

    Attributes
    ----------
    frames
        Cases with `day`, `year`, `stratum`, `age_band`, `sex`, `region`, `reporter` and
        `seriousness`; their drugs and events by the names they are counted under.
    onsets
        `case`, `drug`, `event`, `onset_days`, `report_days` of the cases with the event that state
        both days: see `detectors.truncated_onset`.
    indications
        `case` and `indication`, as stated.
    drug, event
        The pair.
    """

    frames: CaseFrames
    onsets: pl.DataFrame
    indications: pl.DataFrame
    drug: str
    event: str

    @property
    def pair(self) -> pl.DataFrame:
        """Return the pair as a frame of one row."""
        return pl.DataFrame({"drug": [self.drug], "event": [self.event]})

    def cases_with(self, *, drug: str | None = None, event: str | None = None) -> pl.DataFrame:
        """Return the cases that name a drug, an event or both, as one column `case`."""
        found = self.frames.cases.select("case")
        for name, frame, column in (
            (drug, self.frames.drugs, "drug"),
            (event, self.frames.events, "event"),
        ):
            if name is not None:
                found = found.join(frame.filter(pl.col(column) == name), on="case", how="semi")
        return found


def population_of(view: CodedCases, drug: str, event: str, last_day: int) -> Population:
    """Return the cases of a run up to a day, around one pair.

    Parameters
    ----------
    view
        Its cases, and the names of their codes.
    drug, event
        Normal forms.
    last_day
        Last day of first receipt [days since 1970-01-01].
    """
    rows = view.log.rows().filter((pl.col("n") > 0) & (pl.col("day") <= last_day))
    plain = view.levels.without_levels(rows)
    drugs = _named(plain, "drugs", view.drugs, "drug")
    events = _named(plain, "events", view.events, "event")
    if not drugs["drug"].eq(drug).any():  # a lot or facility
        drugs = pl.concat([drugs, _named(rows, "drugs", view.drugs, "drug").filter(drug=drug)])
    if not events["event"].eq(event).any():  # a family
        of_family = _named(rows, "events", view.events, "event").filter(event=event)
        events = pl.concat([events, of_family])
    return Population(
        frames=CaseFrames(_cases(rows, view), drugs, events),
        onsets=_onsets(rows, view, event),
        indications=_indications(rows, view.indications),
        drug=drug,
        event=event,
    )


def _cases(rows: pl.DataFrame, view: CodedCases) -> pl.DataFrame:
    """Return what is known of each case."""
    band, sex = pl.col("block") // BAND_UNIT, pl.col("block") % BAND_UNIT
    names = _band_names(
        view.age_bands, int(rows["block"].to_numpy().max(initial=0)) // BAND_UNIT + 1
    )
    day = pl.col("day").cast(pl.Date)
    parts = [text.split(UNIT) for text in view.strata.names]
    regions = pl.Series([part[STRATUM.index("region")] for part in parts], dtype=pl.String)
    professional = pl.Series(
        [parse_origin(text).by_professional for text in view.origins.names], dtype=pl.Boolean
    )
    known = rows.select(
        pl.col("case_id").alias("case"),
        day.alias("day"),
        pl.format("{}", day.dt.year()).alias("year"),
        pl.format("{} Q{}", day.dt.year(), day.dt.quarter()).alias("quarter"),
        band.cast(pl.Int64).replace_strict(range(len(names)), names).alias("age_band"),
        sex.cast(pl.Int64).replace_strict(range(len(_SEXES)), _SEXES).alias("sex"),
        regions.gather(rows["stratum"]).alias("region"),
        pl.when(professional.gather(rows["origin"]))
        .then(pl.lit("health professional"))
        .otherwise(pl.lit("other or unknown"))
        .alias("reporter"),
        pl.when("serious")
        .then(pl.lit("serious"))
        .otherwise(pl.lit("not serious"))
        .alias("seriousness"),
    )
    return known.with_columns(
        pl.concat_str("quarter", "age_band", "sex", separator=", ").alias(STRATUM_COLUMN)
    )


def _band_names(bands: AgeBands, number: int) -> list[str]:
    """Return the names of the codes of age bands, so that they sort by age."""
    ends = [0.0, *bands.upper_ends]
    named = [f"age {low:g} to below {high:g}" for low, high in pairwise(ends)]
    named += [f"age {ends[-1]:g} and above", f"age {UNKNOWN}"]
    return named + [f"age group {code}" for code in range(len(named), number)]


def _named(rows: pl.DataFrame, column: str, vocabulary: Vocabulary, name: str) -> pl.DataFrame:
    """Return `case` and the names of a column of lists of codes."""
    listed = rows.select(pl.col("case_id").alias("case"), pl.col(column).alias(name))
    exploded = listed.explode(name).drop_nulls(name)
    names = vocabulary.decode(exploded[name].to_numpy().astype(np.int64))
    return exploded.with_columns(names.alias(name)).filter(pl.col(name) != "")


def _onsets(rows: pl.DataFrame, view: CodedCases, event: str) -> pl.DataFrame:
    """Return the onsets of an event after each drug that a case states both days of."""
    code = view.events.find(event)
    stating = (
        rows.filter(pl.col("onsets").is_not_null() & pl.col("courses").is_not_null())
        .select("case_id", "day", "drugs", "courses", "events", "onsets")
        .explode("events", "onsets")
        .filter((pl.col("events") == code) & (pl.col("onsets") > 0))
        .explode("drugs", "courses")
    )
    began = pl.col("onsets").cast(pl.Int64)
    start = pl.col("courses").cast(pl.Int64) // (1 << START)
    received = pl.col("day").cast(pl.Int64) + _EPOCH_ORDINAL
    dated = stating.select(
        pl.col("case_id").alias("case"),
        view.drugs.decode(stating["drugs"].to_numpy().astype(np.int64)).alias("drug"),
        pl.lit(event).alias("event"),
        pl.when(start > 0).then(began - start).alias("onset_days"),
        (received - start).alias("report_days"),
    ).drop_nulls("onset_days")
    inside = (pl.col("onset_days") >= 0) & (pl.col("onset_days") <= pl.col("report_days"))
    return dated.filter(inside)


def _indications(rows: pl.DataFrame, vocabulary: Vocabulary) -> pl.DataFrame:
    joined = vocabulary.decode(rows["indications"].to_numpy().astype(np.int64))
    listed = rows.select(
        pl.col("case_id").alias("case"), joined.str.split(UNIT).alias("indication")
    )
    return listed.explode("indication").filter(pl.col("indication") != "").unique()
