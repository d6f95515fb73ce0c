"""Every window on every day of four real years of VAERS, and after corrections years late.

The recount shares nothing with what it checks: the files are read with polars alone into one long
table of (case, day, drug, event), and counted with its rolling sums and dynamic groups.
"""

import io
import random
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from detectors.conditions import Comparison
from detectors.rules import Rule, RuleSet
from schemas.product import Product
from schemas.release import ReleaseMarker
from schemas.report import Reaction, Report, Revision
from schemas.vocabulary import ProductRole, RevisionKind
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.intake.vaers import read_vaers
from streams.runtime.embedded.case_stage import CaseStage, Incoming, read_batch
from streams.runtime.state.case_store import MemoryStore
from tests.support.source_file_counts import Counts, tabulate

YEARS = (1990, 1991, 1992, 1993)
FIRST, LAST = date(1990, 1, 1), date(1993, 12, 31)
DAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
EPOCH = date(1970, 1, 1)
SPECS = ("sliding:365", "month", "quarter")
MARGINS = {
    "n_observed": ("drug", "event"),
    "n_drug": ("drug",),
    "n_event": ("event",),
    "n_total": (),
}
INTEGERS = dict.fromkeys(MARGINS, pl.Int64)
NOBODY = RuleSet(
    rules=(
        Rule(
            name="nobody",
            title="Flags nothing: the counts are the matter here",
            source="tests",
            condition=Comparison(statistic="n_observed", op=">=", value=1e9),
        ),
    )
)


class Run:
    """The two stages of a replay, fed by the day and looked at when each day is over."""

    def __init__(self) -> None:
        self.detector = Detector(map(WindowSpec.parse, SPECS), NOBODY)
        self._stage = CaseStage(MemoryStore(), partition=0, keep_outbox=False)
        self._offset = 0

    def day(self, day: date, reports: list[Report]) -> None:
        first, self._offset = self._offset, self._offset + len(reports)
        messages = [Incoming(first + place, report) for place, report in enumerate(reports)]
        versions, rejected = read_batch(messages, source="test", horizon=date(2030, 1, 1))
        assert not rejected
        counted = self._stage.count(
            [version for _, version in versions], first_offset=first, next_offset=self._offset
        )
        if reports:
            assert self.detector.apply(counted.delta)
        assert self.detector.evaluate((day - EPOCH).days) == []

    def counts(self, spec: str, label: str) -> pl.DataFrame:
        window = self.detector.windows[SPECS.index(spec)]
        return self.detector.counts(window, label)

    def labels(self, spec: str) -> set[str]:
        return set(self.detector.windows[SPECS.index(spec)].tallies)


# four real years, every day


def long_table(folder: Path) -> pl.DataFrame:
    """Read case, day, drug and event, each combination once, straight from the archives."""
    parts = []
    for year in YEARS:
        with zipfile.ZipFile(folder / f"{year}VAERSData.zip") as archive:
            data, vax, symptoms = (
                pl.read_csv(
                    io.BytesIO(archive.read(f"{year}VAERS{kind}.csv").decode("latin-1").encode()),
                    infer_schema=False,
                ).with_columns(case=pl.col("VAERS_ID").cast(pl.Int64))
                for kind in ("DATA", "VAX", "SYMPTOMS")
            )
        days = data.select("case", day=pl.col("RECVDATE").str.to_date("%m/%d/%Y"))
        drugs = vax.select("case", drug=pl.col("VAX_TYPE").str.strip_chars().str.to_lowercase())
        terms = [f"SYMPTOM{place}" for place in range(1, 6)]
        events = symptoms.unpivot(terms, index="case", value_name="event").select(
            "case", pl.col("event").str.strip_chars().str.to_lowercase()
        )
        parts.append(days.join(drugs, on="case").join(events, on="case"))
    named = (pl.col("drug").str.len_bytes() > 0) & (pl.col("event").str.len_bytes() > 0)
    return pl.concat(parts).filter(named).unique()


def on_every_day(long: pl.DataFrame, counted: Callable[[tuple[str, ...]], pl.Expr]) -> pl.DataFrame:
    """Count pairs and margins on every day; `counted` sums `n` of a group up to the day."""
    found = None
    for name, keys in MARGINS.items():
        daily = long.group_by("day", *keys).agg(n=pl.col("case").n_unique().cast(pl.Int64))
        groups = long.select(pl.lit(0).alias("all"), *keys).unique()
        every = (
            pl.DataFrame({"day": DAYS})
            .join(groups, how="cross")
            .join(daily, on=("day", *keys), how="left")
            .with_columns(pl.col("n").fill_null(0))
            .sort("all", *keys, "day")
            .select("day", *keys, counted(("all", *keys)).cast(pl.Int64).alias(name))
            .filter(pl.col(name) > 0)
        )
        found = every if found is None else found.join(every, on=("day", *keys))
    assert found is not None
    return found.sort("day", "drug", "event").select("day", "drug", "event", *MARGINS)


def by_period(long: pl.DataFrame, every: str) -> pl.DataFrame:
    """Count the whole of each calendar period; `day` is its first."""
    found = None
    for name, keys in MARGINS.items():
        counts = (
            long.sort("day")
            .group_by_dynamic("day", every=every, group_by=keys or None)
            .agg(pl.col("case").n_unique().cast(pl.Int64).alias(name))
        )
        found = counts if found is None else found.join(counts, on=("day", *keys))
    assert found is not None
    return found.sort("day", "drug", "event").select("day", "drug", "event", *MARGINS)


def by_day(frame: pl.DataFrame) -> Mapping[date, pl.DataFrame]:
    parts = frame.partition_by("day", as_dict=True, include_key=False, maintain_order=True)
    return {day: part for (day,), part in parts.items()}


def named(period: str, day: date) -> str:
    quarter = f"{day.year}-Q{(day.month - 1) // 3 + 1}"
    return f"{day:%Y-%m}" if period == "month" else quarter


def ends(period: str, day: date) -> bool:
    after = day + timedelta(days=1)
    return named(period, after) != named(period, day)


@pytest.mark.realdata
def test_every_window_equals_the_recount_on_every_day_of_four_years(real_data: Path) -> None:
    folder = real_data / "vaers"
    long = long_table(folder)
    drugs, events = (pl.Enum(long[name].unique().sort()) for name in ("drug", "event"))
    long = long.with_columns(pl.col("drug").cast(drugs), pl.col("event").cast(events))
    nothing = pl.DataFrame(schema={**long.select("drug", "event").schema, **INTEGERS})

    def up_to_now(truncate: str) -> Callable[[tuple[str, ...]], pl.Expr]:
        period = pl.col("day").dt.truncate(truncate)
        return lambda keys: pl.col("n").cum_sum().over(*keys, period)

    def year(keys: tuple[str, ...]) -> pl.Expr:
        return pl.col("n").rolling_sum_by("day", "365d").over(*keys)

    running = {
        "sliding:365": by_day(on_every_day(long, year)),
        "month": by_day(on_every_day(long, up_to_now("1mo"))),
        "quarter": by_day(on_every_day(long, up_to_now("1q"))),
    }
    whole = {"month": by_day(by_period(long, "1mo")), "quarter": by_day(by_period(long, "1q"))}
    over = {
        period: {named(period, start): frame for start, frame in frames.items()}
        for period, frames in whole.items()
    }
    arriving: dict[date, list[Report]] = {}
    for path in (folder / f"{year}VAERSData.zip" for year in YEARS):
        *reports, marker = read_vaers(path)
        assert isinstance(marker, ReleaseMarker)
        for report in reports:
            assert isinstance(report, Report)
            arriving.setdefault(report.first_received, []).append(report)
    assert sum(map(len, arriving.values())) == 32_882

    def require(run: Run, spec: str, label: str, want: pl.DataFrame, day: date) -> None:
        got = run.counts(spec, label)
        got = got.with_columns(pl.col("drug").cast(drugs), pl.col("event").cast(events))
        if not got.equals(want):
            print(f"{spec} {label} as of {day}")
            assert_frame_equal(got, want)
            pytest.fail(f"{spec} {label} as of {day}: same values, yet not equal")

    run, compared, rows = Run(), 0, 0
    for day in DAYS:
        run.day(day, arriving.pop(day, []))
        want = running["sliding:365"].get(day, nothing)
        require(run, "sliding:365", "sliding-365d", want, day)
        compared, rows = compared + 1, rows + want.height
        for period, frames in over.items():
            label = named(period, day)
            want = running[period].get(day, nothing)
            if label in run.labels(period):
                require(run, period, label, want, day)
                compared, rows = compared + 1, rows + want.height
            else:
                assert want.height == 0
            if ends(period, day):  # those that are over are what they were
                assert run.labels(period) == {name for name in frames if name <= label}
                for past in run.labels(period):
                    require(run, period, past, frames[past], day)
                    compared += 1
    assert not arriving
    assert len(DAYS) == 1_461
    assert compared > 4_000
    assert rows > 2_000_000
    assert {period: len(frames) for period, frames in over.items()} == {
        period: len(run.labels(period)) for period in over
    }


# reports that are years late, and corrections of old ones


def version(chance: random.Random, case: int, number: int, first: date, today: date) -> Report:
    revision = Revision(kind=RevisionKind.NULLIFICATION, reason="sent in error")
    drugs = chance.sample(range(6), chance.choice((1, 1, 2)))
    return Report(
        case_id=f"C{case}",
        version=number,
        message_id=f"C{case}.{number}",
        source="test",
        first_received=first,
        latest_received=today,
        revision=revision if number > 1 and chance.random() < 0.2 else None,
        products=tuple(
            Product(substances=(f"drug {drug}",), role=ProductRole.SUSPECT) for drug in drugs
        ),
        reactions=tuple(Reaction(term=f"event {n}") for n in chance.sample(range(7), 2)),
    )


def history(seed: int, days: list[date]) -> Iterator[tuple[date, list[Report]]]:
    """Each day new cases, at times one first received up to four years ago, or a correction."""
    chance = random.Random(seed)
    known: list[tuple[int, int, date]] = []  # case, its last version, first day
    for today in days:
        arriving = []
        for _ in range(chance.choice((0, 2, 4, 6))):
            first = today
            if chance.random() < 0.15:
                first -= timedelta(days=chance.randrange(1, 1_460))
            known.append((len(known), 1, first))
            arriving.append(version(chance, len(known) - 1, 1, first, today))
        if known and chance.random() < 0.8:
            place = chance.randrange(len(known))
            case, number, first = known[place]
            if chance.random() < 0.2:  # even the day of first receipt was wrong
                first -= timedelta(days=chance.randrange(1, 800))
            known[place] = case, number + 1, first
            arriving.append(version(chance, case, number + 1, first, today))
        yield today, arriving


def by_filter(latest: Mapping[str, Report], first: date, last: date) -> Counts:
    """Recount a window from the latest versions by a plain filter."""
    return tabulate(
        (
            {name for product in report.products for name in product.substances},
            {reaction.term for reaction in report.reactions},
        )
        for report in latest.values()
        if not report.is_nullified and first <= report.first_received <= last
    )


def held(run: Run, spec: str, label: str) -> Counts:
    return {(drug, event): tuple(n) for drug, event, *n in run.counts(spec, label).iter_rows()}


def span(spec: str, day: date) -> tuple[str, date, date]:
    """Label, first and last day of the calendar period that a day lies in."""
    label = named(spec, day)
    first = last = day
    while named(spec, first - timedelta(days=1)) == label:
        first -= timedelta(days=1)
    while not ends(spec, last):
        last += timedelta(days=1)
    return label, first, last


@pytest.mark.parametrize("seed", range(3))
def test_what_comes_years_late_corrects_every_window_that_contains_it(seed: int) -> None:
    days = [date(2021, 1, 1) + timedelta(days=n) for n in range(0, 800, 4)]
    run, latest = Run(), {}
    corrected: set[tuple[str, str]] = set()
    for today, arriving in history(seed, days):
        moved = [latest[one.case_id].first_received for one in arriving if one.case_id in latest]
        moved += [one.first_received for one in arriving]
        latest |= {one.case_id: one for one in arriving}
        run.day(today, arriving)
        year = by_filter(latest, today - timedelta(days=364), today)
        assert held(run, "sliding:365", "sliding-365d") == year, today
        for spec in ("month", "quarter"):
            for label, first, last in {span(spec, day) for day in moved}:
                if label in run.labels(spec):
                    assert held(run, spec, label) == by_filter(latest, first, last), (today, label)
                else:
                    assert not by_filter(latest, first, last), (today, label)
                if (today - last).days > 365:
                    corrected.add((spec, label))
    for spec in ("month", "quarter"):
        spans = {span(spec, report.first_received) for report in latest.values()}
        wanted = {label: by_filter(latest, first, last) for label, first, last in spans}
        # One that was emptied, by a nullification or a corrected day, may stay as an empty one.
        for label in run.labels(spec) | {label for label, counts in wanted.items() if counts}:
            assert held(run, spec, label) == wanted.get(label, {}), label
    assert len(corrected) > 20


def test_one_late_report_and_its_nullification_touch_its_windows_only() -> None:
    chance = random.Random(0)
    run = Run()
    today = date(2024, 6, 30)
    days = [today - timedelta(days=899 - number) for number in range(900)]
    for start in range(0, 900, 100):
        part = range(start, start + 100)
        run.day(days[part[-1]], [version(chance, n, 1, days[n], days[n]) for n in part])

    def everything() -> dict[tuple[str, str], Counts]:
        return {(spec, name): held(run, spec, name) for spec in SPECS for name in run.labels(spec)}

    before = everything()
    inside, outside = today - timedelta(days=364), today - timedelta(days=365)
    for case, day, touched in (
        (1_000, inside, {"sliding-365d", "2023-07", "2023-Q3"}),
        (1_001, outside, {"2023-07", "2023-Q3"}),
        (1_002, date(2022, 2, 28), {"2022-02", "2022-Q1"}),
    ):
        late = version(chance, case, 1, day, today)
        run.day(today, [late])
        after = everything()
        changed = {key: counts for key, counts in after.items() if counts != before[key]}
        assert {label for _, label in changed} == touched
        for key, counts in changed.items():
            (drug, event) = late.products[0].substances[0], late.reactions[0].term
            old = before[key].get((drug, event), (0, 0, 0, 0))
            assert counts[drug, event][0] == old[0] + 1
        for key in changed:
            totals = [{cell[3] for cell in counts[key].values()} for counts in (before, after)]
            assert max(totals[1]) == max(totals[0]) + 1
        wrong = Revision(kind=RevisionKind.NULLIFICATION, reason="sent in error")
        run.day(today, [late.model_copy(update={"version": 2, "revision": wrong})])
        assert everything() == before
