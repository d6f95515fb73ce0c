"""`tocsin fit` and `tocsin backtest`: fit the prior of the EBGM, and compare sets of rules."""

import csv
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from detectors.false_alarms import ever_alert_rate
from detectors.gamma_mixture import Likelihood
from detectors.gamma_mixture_fit import PEAK_GAP, FitReport, FitWarning, fit_gamma_mixture
from schemas.errors import InputError
from streams.cli.options import (
    NO_SCREENING,
    ListOption,
    RefitOption,
    WindowOption,
    both_rules_from,
    interval_days,
    lists_from,
    require_apart,
    tomorrow,
    windows_from,
    writable,
)
from streams.cli.replay_commands import item_progress
from streams.cli.score_commands import read_counts
from streams.exports.result_file import result_file
from streams.intake.files import read_source
from streams.runtime.embedded.backtest import BacktestResult, History, compare, replay_history

__all__ = ["register"]


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
) -> None:
    """Fit the prior of the EBGM to a table, for `--prior`.

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
        report = fit_gamma_mixture(counts, likelihood=likelihood)
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
        str,
        typer.Option(
            metavar="RULE,...", help="The current rules of the alarm: presets or TOML files."
        ),
    ],
    against: Annotated[
        str,
        typer.Option(
            metavar="RULE,...", help="The proposed rules of the alarm: presets or TOML files."
        ),
    ],
    screening: Annotated[
        str, typer.Option(metavar="RULE,...", help="The current rules of the screening.")
    ] = NO_SCREENING,
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
) -> None:
    """Compare the alarms of two sets of rules on the same reports, before switching between them.

    Both sets are evaluated on the same days. An alarm is gained or lost if only one set ever raises
    it, and earlier or later by the day on which the signal is first an alarm. Rules of a screening
    add to the numbers of signals and revisions, and to nothing else.
    """
    writable(details)
    require_apart([*sources, *filter(None, [negative_controls])], [details])
    controls = None if negative_controls is None else _read_controls(negative_controls)
    # Both are built before either runs, so that an error in the second is reported at once.
    runs = [
        replay_history(
            ((path.name, read_source(path)) for path in sources),
            windows_from(window),
            loaded,
            every=interval_days(every),
            horizon=tomorrow(),
            refit_every=None if refit is None else interval_days(refit, "--refit"),
        )
        for loaded in both_rules_from(
            (rules, screening), (against, against_screening), lists_from(lists)
        )
    ]
    ours, theirs = (
        _history(name, run) for name, run in zip(("--rules", "--against"), runs, strict=True)
    )
    comparison = compare(ours, theirs)
    console = Console()
    console.print(_table(rules, against, ours, theirs, controls))
    console.print(
        f"Switching from {rules} to {against}: {len(comparison.gained):,} alarms gained, "
        f"{len(comparison.lost):,} lost, {len(comparison.earlier):,} earlier, "
        f"{len(comparison.later):,} later, {comparison.unchanged:,} on the same day.",
        highlight=False,
        markup=False,
    )
    if details is not None:
        _write_details(details, comparison, ours, theirs)


def _history(name: str, run: Iterator[int | History]) -> History:
    history = History()
    with item_progress() as progress:
        task = progress.add_task(name, total=None)
        for done in run:
            if isinstance(done, History):
                history = done
            else:
                progress.advance(task, done)
    return history


def _read_controls(path: Path) -> list[tuple[str, str]]:
    try:
        table = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        msg = f"--negative-controls: {path} must be a readable CSV file; got {error}"
        raise InputError(msg) from error
    if not {"drug", "event"} <= set(table.columns):
        msg = f"--negative-controls: {path} must have the columns drug, event; got {table.columns}"
        raise InputError(msg)
    pairs = sorted(set(table.select("drug", "event").drop_nulls().rows()))
    if not pairs:
        msg = f"--negative-controls: {path} must name at least one pair; got none"
        raise InputError(msg)
    return pairs


def _table(
    rules: str,
    against: str,
    ours: History,
    theirs: History,
    controls: list[tuple[str, str]] | None,
) -> Table:
    table = Table(title=f"{ours.messages:,} messages", title_justify="left")
    table.add_column("")
    table.add_column(escape(f"--rules {rules}"), justify="right")
    table.add_column(escape(f"--against {against}"), justify="right")
    both = (ours, theirs)
    table.add_row("signals ever an alarm", *(f"{len(one.first_alarm):,}" for one in both))
    if any(one.first_alert.keys() != one.first_alarm.keys() for one in both):
        table.add_row("signals of either grade", *(f"{len(one.first_alert):,}" for one in both))
    table.add_row("alert revisions", *(f"{one.revisions.total():,}" for one in both))
    table.add_row(
        "revisions per 10,000 messages",
        *(f"{1e4 * one.revisions.total() / max(one.messages, 1):,.1f}" for one in both),
    )
    if controls is not None:
        rates = [ever_alert_rate(one.ever_alerted(controls), len(controls)) for one in both]
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
                labels = theirs.labels.get(signal) or ours.labels[signal]
                rows.writerow([change, *labels, signal[2], *(day or "" for day in days)])
