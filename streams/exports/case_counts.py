"""Case counts of drug-event pairs by period, seriousness, age, region and other flags.

Reports are counted by the same stages that produced the alerts. Facts that the case log does not
keep (reporter, type of report, rechallenge) are read from the current version of the case.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from detectors.rules import load_rules
from detectors.scoring import score
from schemas.errors import IcsrError, InputError
from schemas.link import CaseLink
from schemas.rejected import Rejected
from schemas.release import ReleaseMarker
from schemas.vocabulary import ProductRole, Qualification, ReporterKind, ReportType
from streams.core.cases.from_report import case_version
from streams.core.cases.strata import PAEDIATRIC, REGIONS, UNKNOWN
from streams.core.cases.transitions import CaseVersion
from streams.core.counting.case_codes import UNIT
from streams.core.counting.windows import WindowSpec
from streams.core.recount.source_ranges import SourceRange
from streams.intake.files import SourceItem, read_source
from streams.intake.native import decode_message
from streams.runtime.embedded.replay import Replay

__all__ = ["FLAGS", "CaseCounts", "Period", "reference_period"]

_EPOCH = date(1970, 1, 1)
_NEVER = 10**6  # days between evaluations: more than any file spans, so there is none
_MONTHS = {"1m": 1, "3m": 3, "6m": 6, "12m": 12}
_PROFESSIONALS = {
    Qualification.PHYSICIAN,
    Qualification.PHARMACIST,
    Qualification.OTHER_HEALTH_PROFESSIONAL,
}
_SUSPECT = {ProductRole.SUSPECT, ProductRole.INTERACTING}

FLAGS = {
    "hcp": "reported by a health professional",
    "serious": "any seriousness criterion",
    "fatal": "a fatal outcome",
    "rechallenge": "positive rechallenge of a suspect product",
    "paediatric": "under 18 years",
    "geriatric": "65 years and over",
    "spontaneous": "spontaneous report",
    **{name: f"from {name.replace('_', ' ')}" for name in REGIONS},
}
"""Flags of a case, with their descriptions."""

_STATED_BY = {"hcp": "by_stated", "rechallenge": "rechallenge_stated", "spontaneous": "type_stated"}


@dataclass(frozen=True)
class Period:
    """Reference period in which cases count as new, both days included."""

    label: str
    first: date
    last: date


def reference_period(label: str, last: date) -> Period:
    """Return the reference period that ends on a given day.

    Parameters
    ----------
    label
        `15d`, `1m`, `3m`, `6m` or `12m`: the usual periods of signal review.

    Raises
    ------
    InputError
        If the label is none of these.

    Examples
    --------
    >>> [str(reference_period(label, date(2024, 3, 31)).first) for label in ("15d", "1m", "12m")]
    ['2024-03-17', '2024-03-01', '2023-04-01']
    """
    if label == "15d":
        return Period(label, last - timedelta(days=14), last)
    if label not in _MONTHS:
        msg = f"--period: must be 15d, {', '.join(_MONTHS)}; got {label!r}"
        raise InputError(msg)
    months = last.year * 12 + last.month - 1 - _MONTHS[label]
    year, month = divmod(months, 12)
    length = (date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    before = date(year, month + 1, min(last.day, length))
    return Period(label, before + timedelta(days=1), last)


class CaseCounts:
    """Counted cases of files, as of a day.

    Parameters
    ----------
    sources
        Files that were replayed.
    source_format
        As for `tocsin replay --format`.
    until
        Last day of receipt; later reports are left out.
    horizon
        Latest valid day of receipt.
    """

    def __init__(
        self,
        sources: Sequence[Path],
        *,
        until: date | None,
        horizon: date,
        source_format: str | None = None,
    ) -> None:
        run = Replay(
            [WindowSpec.parse("cumulative")],
            load_rules(["mhra"]),  # required, but never evaluated
            every=_NEVER,
            until=until,
            horizon=horizon,
            on_alert=lambda alert: None,
            on_rejected=lambda rejected: None,
        )
        details = _Details(min(horizon, until or horizon))
        self.ranges: list[SourceRange] = []
        """The offsets of each file's messages."""
        for path in sources:
            first = run.summary.messages
            for _ in run.feed(path.name, details.recording(read_source(path, source_format))):
                pass
            self.ranges.append(SourceRange(path.name, first, run.summary.messages))
        self.summary = run.summary
        self.last_day = until or run.last_day
        log = run.detector.log.rows()
        strata = pl.Series(run.detector.codes.strata.names, dtype=pl.String).str.split(UNIT)
        cases = log.with_columns(
            day=pl.col("day").cast(pl.Date),
            drugs=_named(log["drugs"], run.detector.codes.drugs.names),
            events=_named(log["events"], run.detector.codes.events.names),
            age=strata.list.get(0).gather(log["stratum"]),
            sex=strata.list.get(1).gather(log["stratum"]),
            region=strata.list.get(2).gather(log["stratum"]),
        ).join(details.frame(), on="case_id", how="left", maintain_order="left")
        self.cases = cases.select(
            "case_id", "day", "drugs", "events", "age", "sex", "region", "serious", "fatal", "hcp",
            "rechallenge", "spontaneous",
            paediatric=pl.col("age").is_in(PAEDIATRIC),
            geriatric=pl.col("age") == "elderly",
            **{name: pl.col("region") == name for name in REGIONS},
        )  # fmt: skip
        """One row per counted case: id, day of first receipt, names, stratum and `FLAGS`."""
        stated = {name: bool(cases[column].any()) for name, column in _STATED_BY.items()}
        ages = bool((cases["age"] != UNKNOWN).any())
        regions = bool((cases["region"] != UNKNOWN).any())
        stated |= {"paediatric": ages, "geriatric": ages} | dict.fromkeys(REGIONS, regions)
        self.unstated = tuple(name for name in FLAGS if not stated.get(name, True))
        """Flags that no case states: a count of zero would be meaningless."""

    def of_pairs(self, pairs: pl.DataFrame, period: Period) -> pl.DataFrame:
        """Count the cases of pairs.

        Parameters
        ----------
        pairs
            `drug`, `event`; one row per pair.

        Returns
        -------
        polars.DataFrame
            `pairs`, same order, with the columns of `schemas.counts.COUNTS`, `ror`, `ror_lower`,
            `ic_lower`, `expected`; and for each flag and `all`: `new_...` and `tot_...` [cases],
            and `ror_lower_...` among the cases with the flag, null if the pair has none.
        """
        flagged = self._flagged(pairs, period)
        names = ["all", *FLAGS]
        found = (
            pairs.select("drug", "event")
            .join(_summed(flagged, ["drug", "event"]), on=["drug", "event"], how="left",
                  maintain_order="left")
            .with_columns(pl.exclude("drug", "event").fill_null(0))
        )  # fmt: skip
        of_drug = _summed(flagged.drop("event").unique(["case_id", "drug"]), ["drug"])
        of_event = self._of_events(pairs)
        whole = self.cases.select(*(pl.col(name).sum() for name in FLAGS), all=pl.len())
        for name in names:
            counts = found.select(
                "drug", "event", n_observed=pl.col(f"tot_{name}"),
            ).join(of_drug, on="drug", how="left", maintain_order="left").join(
                of_event, on="event", how="left", maintain_order="left"
            ).select(
                "drug", "event", "n_observed",
                n_drug=pl.col(f"tot_{name}").fill_null(0),
                n_event=pl.col(f"event_{name}").fill_null(0),
                n_total=pl.lit(whole[name].item(), dtype=pl.Int64),
            )  # fmt: skip
            scored = _scored(counts)
            if name == "all":
                found = found.with_columns(scored.drop("drug", "event"))
            found = found.with_columns(scored["ror_lower"].alias(f"ror_lower_{name}"))
        return found

    def new_cases(self, pairs: pl.DataFrame, period: Period) -> pl.DataFrame:
        """List the cases of pairs first received in a period, one row per pair and case, sorted."""
        new = pl.col("day").is_between(period.first, period.last)
        return (
            self.cases.filter(new)
            .explode("drugs")
            .explode("events")
            .rename({"drugs": "drug", "events": "event"})
            .join(pairs.select("drug", "event"), on=["drug", "event"], how="semi")
            .sort("drug", "event", "day", "case_id")
        )

    def _flagged(self, pairs: pl.DataFrame, period: Period) -> pl.DataFrame:
        """Return the cases of the drugs of pairs, one row per drug and event."""
        return (
            self.cases.explode("drugs")
            .rename({"drugs": "drug", "events": "event"})
            .join(pairs.select("drug").unique(), on="drug", how="semi")
            .explode("event")
            .with_columns(all=pl.lit(True), new=pl.col("day").is_between(period.first, period.last))
        )

    def _of_events(self, pairs: pl.DataFrame) -> pl.DataFrame:
        named = self.cases.explode("events").rename({"events": "event"})
        wanted = named.join(pairs.select("event").unique(), on="event", how="semi")
        return wanted.group_by("event").agg(
            *(pl.col(name).sum().cast(pl.Int64).alias(f"event_{name}") for name in FLAGS),
            event_all=pl.len().cast(pl.Int64),
        )


def _summed(flagged: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    names = ["all", *FLAGS]
    tot = [pl.col(name).sum().cast(pl.Int64).alias(f"tot_{name}") for name in names]
    new = [(pl.col(name) & pl.col("new")).sum().cast(pl.Int64) for name in names]
    return flagged.group_by(by).agg(
        *tot, *(total.alias(f"new_{name}") for total, name in zip(new, names, strict=True))
    )


def _scored(counts: pl.DataFrame) -> pl.DataFrame:
    """Score pairs that have cases; the statistics of the others are null."""
    numbers = ("ror", "ror_lower", "ic_lower", "expected")
    having = score(counts.filter(pl.col("n_observed") > 0), ["ror", "ic"])
    keys = ["drug", "event"]
    finite = [pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in numbers]
    return counts.join(
        having.select(*keys, *finite), on=keys, how="left", maintain_order="left"
    )  # fmt: skip


def _named(codes: pl.Series, names: Sequence[str]) -> pl.Series:
    lists = [[names[code] for code in row] for row in codes.to_list()]
    return pl.Series(lists, dtype=pl.List(pl.String))


class _Details:
    """Facts of the current version of each case that the case log does not keep."""

    def __init__(self, latest: date) -> None:
        self._latest = (latest - _EPOCH).days
        self._current: dict[str, tuple[CaseVersion, tuple[bool, ...]]] = {}

    def recording(
        self, items: Iterable[tuple[int, SourceItem]]
    ) -> Iterator[tuple[int, SourceItem]]:
        """Pass the items of a source on, and record their facts."""
        for place, item in items:
            if not isinstance(item, Rejected):
                self._record(item)
            yield place, item

    def _record(self, item: Any) -> None:
        try:
            report = decode_message(item) if isinstance(item, bytes) else item
        except IcsrError:
            return  # rejected by the stage as well
        if isinstance(report, CaseLink | ReleaseMarker):
            return
        version = case_version(report)
        stored = self._current.get(version.case_id)
        if version.latest_received > self._latest or (stored and stored[0] >= version):
            return
        reporter = report.reporter
        hcp = reporter.qualification in _PROFESSIONALS
        rechallenges = [
            product.rechallenge for product in report.products if product.role in _SUSPECT
        ]
        self._current[version.case_id] = (
            version,
            (
                hcp,
                hcp or reporter.kind is not ReporterKind.UNKNOWN,
                any(rechallenges),
                any(answer is not None for answer in rechallenges),
                report.report_type is ReportType.SPONTANEOUS,
                report.report_type is not ReportType.UNKNOWN,
            ),
        )

    def frame(self) -> pl.DataFrame:
        """Return the recorded facts, one row per case."""
        flags = ("hcp", "by_stated", "rechallenge", "rechallenge_stated", "spontaneous")
        return pl.DataFrame(
            [(case_id, *facts) for case_id, (_, facts) in self._current.items()],
            schema={
                "case_id": pl.String,
                **dict.fromkeys((*flags, "type_stated"), pl.Boolean),
            },
            orient="row",
        )
