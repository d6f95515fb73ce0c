"""`tocsin fit` and `tocsin backtest`: fit the prior of the EBGM, judge sets of rules."""

import csv
import warnings
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.markup import escape
from rich.table import Table

from detectors.false_alarms import ever_alert_rate
from detectors.gamma_mixture import Likelihood
from detectors.gamma_mixture_fit import PEAK_GAP, FitReport, FitWarning, fit_gamma_mixture
from detectors.rules import RuleSet
from schemas.errors import InputError
from streams.cli.negative_controls import control_pairs
from streams.cli.null_tables import null_tables
from streams.cli.options import (
    NO_SCREENING,
    ConfigOption,
    ListOption,
    RefitOption,
    WindowOption,
    both_rules_from,
    interval_days,
    lists_from,
    require_apart,
    rules_from,
    tomorrow,
    windows_from,
    writable,
)
from streams.cli.progress import FileProgress, RowProgress, progress
from streams.cli.score_commands import read_counts
from streams.cli.terminal import Console
from streams.core.cases.permutation import Block, parse_blocks, permute_products
from streams.exports.result_file import result_file
from streams.exports.spreadsheet import defused
from streams.intake.files import SourceItem, read_source
from streams.runtime.detector_settings import DetectorSettings
from streams.runtime.embedded.backtest import (
    BacktestResult,
    History,
    compare,
    replay_cases,
    replay_history,
)

__all__ = ["Null", "register"]


class Null(StrEnum):
    """Kinds of null."""

    PERMUTE = "permute"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("fit")(fit)
    app.command("backtest")(backtest)


def fit(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE.parquet",
            help="Counts, or cases with the columns case_id, drug, event.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.json", help="File to write.")
    ],
    likelihood: Annotated[
        Likelihood,
        typer.Option(help="Likelihood to maximise; each gives a different prior."),
    ] = "truncated_mixture",
    expected: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of the expected cases; the crude ones, if unset. --prior-adjusted needs "
            "one fitted to expected_adjusted.",
        ),
    ] = None,
) -> None:
    """Fit the prior of the EBGM to a table, for `--prior` or `--prior-adjusted`.

    Keep the file: scores can be compared only if they were computed with the same prior. If the
    likelihood has several peaks of nearly equal height, all are printed; the highest is written.
    """
    writable(output)
    counts = read_counts(table)
    if "window" in counts.columns and counts["window"].n_unique() > 1:
        msg = f"{table}: a prior is of one window; got {counts['window'].n_unique()} windows"
        raise InputError(msg)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FitWarning)
        report = fit_gamma_mixture(counts, likelihood=likelihood, expected=expected)
    for entry in caught:
        typer.echo(f"tocsin: warning: {entry.message}", err=True)
    with result_file(output) as part:
        part.write_text(report.prior.model_dump_json(indent=2) + "\n", encoding="utf-8")
    prior, facts = report.prior, report.prior.fit
    assert facts is not None
    out = Table(title=f"Prior {prior.prior_id[:12]}, {likelihood}", title_justify="left")
    out.add_column("")
    out.add_column("", justify="right")
    for name in ("alpha1", "beta1", "alpha2", "beta2", "weight"):
        out.add_row(name, f"{getattr(prior, name):.6g}")
    for name in ("n_pairs", "n_points", "n_starts", "n_converged", "n_optima", "spread"):
        out.add_row(name, f"{getattr(facts, name):,.6g}")
    out.add_row("at the edge of the search", ", ".join(facts.boundary) or "none")
    console = Console()
    console.print(out)
    if len(report.peaks) > 1:
        console.print(_peaks_table(report))


def _peaks_table(report: FitReport) -> Table:
    """Return the peaks that are nearly as high as the fitted prior, which is the first."""
    out = Table(
        title=f"Peaks of the likelihood within {PEAK_GAP} of the highest", title_justify="left"
    )
    for name in ("log-likelihood", "alpha1", "beta1", "alpha2", "beta2", "weight", "starts"):
        out.add_column(name, justify="right")
    for peak in report.peaks:
        parameters = (f"{value:.5g}" for value in peak.parameters)
        out.add_row(f"{peak.log_likelihood:.3f}", *parameters, str(peak.n_starts))
    return out


def backtest(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE", help="Native JSON Lines, VAERS yearly zips, FAERS quarterly zips."
        ),
    ],
    rules: Annotated[
        str | None,
        typer.Option(
            metavar="RULE,...",
            help="The current rules of the alarm: presets or TOML files; by default those of the "
            "settings.",
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="RULE,...", help="The proposed rules of the alarm: presets or TOML files."
        ),
    ] = None,
    screening: Annotated[
        str | None,
        typer.Option(
            metavar="RULE,...",
            show_default=NO_SCREENING,
            help="The current rules of the screening.",
        ),
    ] = None,
    against_screening: Annotated[
        str, typer.Option(metavar="RULE,...", help="The proposed rules of the screening.")
    ] = NO_SCREENING,
    every: Annotated[
        str,
        typer.Option(
            metavar="INTERVAL", help="Evaluate at this interval of event time: 1d, 7d, 2w."
        ),
    ] = "1d",
    window: WindowOption = None,
    lists: ListOption = None,
    refit: RefitOption = None,
    null: Annotated[
        Null | None,
        typer.Option(help="Also count alerts where no pair is associated: permute the products."),
    ] = None,
    within: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help="Permute among cases that agree in all of these: " + ", ".join(Block) + ".",
        ),
    ] = "day",
    permutations: Annotated[int, typer.Option(min=1, help="Permutations of the null.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the permutations.")] = 1,
    negative_controls: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Pairs known to be unrelated, with the columns drug,event; counts those alerted.",
        ),
    ] = None,
    details: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Write every alarm that would change.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Compare two sets of rules on the same reports, or measure the false alerts of one, or both.

    Both sets are evaluated on the same days. An alarm is gained or lost if only one set ever raises
    it, and earlier or later by the day on which the signal is first an alarm. Rules of a screening
    add to the numbers of signals and revisions, and to nothing else.

    With --null permute, the products of the same cases are permuted within each block, so that no
    pair is associated but by chance, and every alert is false. Follow-ups are collapsed: the latest
    version of a case counts from its first day of receipt.

        tocsin backtest 1990VAERSData.zip --rules mhra,ic --null permute --within quarter,age
    """
    if against is None and null is None:
        msg = "backtest: --against or --null permute must be given; got neither"
        raise InputError(msg)
    writable(details)
    settings = DetectorSettings.load(
        config,
        windows=window,
        rules=rules,
        screening=screening,
        lists=lists,
        refit=refit,
        negative_controls=negative_controls,
    )
    named = settings.negative_controls
    require_apart([*sources, *filter(None, [named])], [details])
    controls = None if named is None else control_pairs(named)
    windows = windows_from(list(settings.windows))
    blocks, days = parse_blocks(within), interval_days(every)
    refit_every = None if settings.refit is None else interval_days(settings.refit, "--refit")
    texts = {"--rules": settings.rules} | ({} if against is None else {"--against": against})
    found = lists_from(list(settings.lists))
    wider = settings.screening if "screening" in settings.model_fields_set else NO_SCREENING
    loaded: Sequence[RuleSet] = [rules_from(settings.rules, wider, found)]
    if against is not None:
        loaded = both_rules_from((settings.rules, wider), (against, against_screening), found)
    # All are built before one runs, so that an error in the second is reported at once.
    files = [FileProgress(sources) for _ in loaded]
    runs = [
        replay_history(
            _metered(sources, shown),
            windows,
            rule_set,
            every=days,
            horizon=tomorrow(),
            refit_every=refit_every,
            keep_cases=null is not None,
        )
        for rule_set, shown in zip(loaded, files, strict=True)
    ]
    histories = [_history(run, shown) for run, shown in zip(runs, files, strict=True)]
    headings = [f"{option} {text}" for option, text in texts.items()]
    of_null: list[str | Table] = []  # before anything is printed: the progress stays above it
    if null is not None:
        replayed = partial(replay_cases, windows=windows, every=days, refit_every=refit_every)
        for heading, rule_set, real in zip(headings, loaded, histories, strict=True):
            nulls = [
                _history(
                    replayed(permuted, rules=rule_set),
                    RowProgress(f"permutation {number}/{permutations}", permuted.height),
                )
                for number, permuted in _permuted(real.cases, blocks, permutations, seed)
            ]
            grades = {rule.name: rule.grade for rule in rule_set.rules}
            of_null += null_tables(heading, grades, blocks, nulls, real)
    console = Console()
    console.print(_table(dict(zip(headings, histories, strict=True)), controls))
    if against is not None:
        _print_comparison(console, settings.rules, against, histories, details)
    for part in of_null:
        console.print(part, highlight=False, markup=False)


def _metered(
    sources: Sequence[Path], shown: FileProgress
) -> Iterator[tuple[str, Iterator[tuple[int, SourceItem]]]]:
    """Yield the name and the items of each source, and what of it is read to its progress."""
    for path in sources:
        yield path.name, read_source(path, meter=shown.begin(path))


def _permuted(
    cases: pl.DataFrame, within: Sequence[Block], permutations: int, seed: int
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield the number and the cases of each permutation."""
    if cases.height == 0:
        msg = "backtest: the sources must hold a counted case to permute; got none"
        raise InputError(msg)
    for number in range(1, permutations + 1):
        yield number, permute_products(cases, within, seed=(seed, number))


def _print_comparison(
    console: Console,
    rules: str,
    against: str,
    histories: Sequence[History],
    details: Path | None,
) -> None:
    ours, theirs = histories
    comparison = compare(ours, theirs)
    console.print(
        f"Switching from {rules} to {against}: {len(comparison.gained):,} alarms gained, "
        f"{len(comparison.lost):,} lost, {len(comparison.earlier):,} earlier, "
        f"{len(comparison.later):,} later, {comparison.unchanged:,} on the same day.",
        highlight=False,
        markup=False,
    )
    if details is not None:
        _write_details(details, comparison, ours, theirs)


def _history(run: Iterator[int | History], shown: FileProgress | RowProgress) -> History:
    """Run to the history at the end, with its progress shown."""
    history = History()
    with progress(shown.done):
        for done in run:
            if isinstance(done, History):
                history = done
            else:
                shown.advance(done)
    return history


def _table(columns: dict[str, History], controls: list[tuple[str, str]] | None) -> Table:
    runs = list(columns.values())
    table = Table(title=f"{runs[0].messages:,} messages", title_justify="left")
    table.add_column("")
    for heading in columns:
        table.add_column(escape(heading), justify="right")
    table.add_row("signals ever an alarm", *(f"{len(one.first_alarm):,}" for one in runs))
    if any(one.first_alert.keys() != one.first_alarm.keys() for one in runs):
        table.add_row("signals of either grade", *(f"{len(one.first_alert):,}" for one in runs))
    table.add_row("alert revisions", *(f"{one.revisions.total():,}" for one in runs))
    table.add_row(
        "revisions per 10,000 messages",
        *(f"{1e4 * one.revisions.total() / max(one.messages, 1):,.1f}" for one in runs),
    )
    if controls is not None:
        rates = [ever_alert_rate(one.ever_alerted(controls), len(controls)) for one in runs]
        table.add_row(
            f"of {len(controls):,} negative controls ever an alarm",
            *(rf"{rate:.1%} \[{lower:.1%}, {upper:.1%}]" for rate, lower, upper in rates),
        )
    return table


def _write_details(path: Path, comparison: BacktestResult, ours: History, theirs: History) -> None:
    with result_file(path) as part, part.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["change", "drug", "event", "window", "rules_first", "against_first"])
        for change in ("gained", "lost", "earlier", "later"):
            for signal in getattr(comparison, change):
                days = (ours.first_alarm.get(signal), theirs.first_alarm.get(signal))
                labels = map(defused, theirs.labels.get(signal) or ours.labels[signal])
                rows.writerow([change, *labels, signal[2], *(day or "" for day in days)])
