"""`tocsin recount`: recompute the numbers of alerts from the messages they count."""

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from detectors.gamma_mixture import GammaMixture
from schemas.alert import Alert
from schemas.errors import InputError
from schemas.prior import PriorRefit
from schemas.safety_alert import SafetyAlert
from streams.cli.kafka_commands import BootstrapOption, ConfigOption
from streams.cli.options import (
    AdjustedPriorOption,
    ListOption,
    PriorOption,
    ReleaseOption,
    RulesOption,
    ScreeningOption,
    adjusted_prior_from,
    lists_from,
    parse_day,
    prior_from,
    rules_from,
)
from streams.cli.progress import file_progress, row_progress
from streams.cli.replay_commands import Format
from streams.core.recount.comparison import Recounted
from streams.core.recount.safety import RecountedSafety
from streams.intake.native import read_lines
from streams.runtime.broker.topic_reader import read_alerts
from streams.runtime.detector_settings import DetectorSettings
from streams.runtime.operations.recount import (
    choose,
    prior_of,
    read_alert_file,
    recount_of_files,
    recount_of_topics,
    safety_recount_of_topics,
)
from streams.runtime.settings import Settings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("recount")(recount)


def recount(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ALERT_ID", help="Alerts to recount, by alert_id."),
    ] = None,
    alerts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl", help="Alerts as JSON Lines; by default those on the topic."
        ),
    ] = None,
    sources: Annotated[
        list[Path] | None,
        typer.Option(
            "--source",
            metavar="SOURCE",
            help="A file that was replayed; may be repeated, in the order of the replay. By "
            "default the topic.",
        ),
    ] = None,
    source_format: Annotated[
        Format | None, typer.Option("--format", help="Format of the files; by default detected.")
    ] = None,
    release: ReleaseOption = None,
    sample: Annotated[
        int | None, typer.Option(min=1, metavar="COUNT", help="Recount a random sample.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="Seed of the random sample.")] = 1,
    rules: RulesOption = None,
    screening: ScreeningOption = None,
    lists: ListOption = None,
    prior: PriorOption = None,
    prior_adjusted: AdjustedPriorOption = None,
    priors: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl", help="Priors fitted during the run, from tocsin replay --priors."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON Lines, one object per alert.")
    ] = False,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Recompute the numbers of alerts from the messages they count, and compare them bit for bit.

    The command reads every message before the `as_of` offsets of an alert, counts the latest
    version of each case in one pass, and compares counts, statistics, cases and rules with the
    published alert. It exits with 1 if anything differs.

        tocsin recount 5f0c1d... --rules mhra,ema,ic --screening none

        tocsin recount --sample 100 --seed 1

        tocsin recount --alerts alerts.jsonl --source reports.jsonl

    Not compared are kind, reason, revision and previous, since they depend on earlier publication,
    and test_recomputed, since it depends on the arrival of corrections. A safety alert is compared
    in full: it is recomputed from the reports and notices before its offsets and its previous
    revision.
    """
    if sources and alerts is None:
        msg = "recount: --source needs --alerts, the alerts that the replay of these files wrote"
        raise InputError(msg)
    if not (ids or sample or alerts):
        msg = "recount: alerts must be named by id, by --sample or by --alerts; got none"
        raise InputError(msg)
    detector = DetectorSettings.load(
        config,
        rules=rules,
        screening=screening,
        lists=lists,
        prior=prior,
        prior_adjusted=prior_adjusted,
    )
    asked = rules_from(detector.rules, detector.screening, lists_from(list(detector.lists)))
    given = [prior_from(detector.prior), adjusted_prior_from(detector.prior_adjusted)]
    known = _priors(given, priors)
    settings = None if sources else Settings.load(config, bootstrap=bootstrap)
    with row_progress("alerts") as read:
        if alerts is not None:
            found = read_alert_file(alerts)
        else:
            assert settings is not None
            found = read_alerts(settings, follow=False, stopped=lambda: False, on_poll=read.poll)
        chosen = choose(found, ids=ids or (), sample=sample, seed=seed)
    counted = [alert for alert in chosen if isinstance(alert, Alert)]
    if settings is None:
        name = source_format and source_format.value
        with file_progress(sources or ()) as files:
            counting = recount_of_files(
                sources or (),
                name,
                counted,
                asked,
                priors=known,
                released_on=parse_day(release, "--release"),
                meter_of=files.begin,
                on_read=files.advance,
            )
    else:
        with row_progress("reports") as reports:
            counting = recount_of_topics(
                settings, counted, asked, priors=known, on_poll=reports.poll
            )
    results: list[Recounted | RecountedSafety] = []
    safety = [alert for alert in chosen if isinstance(alert, SafetyAlert)]
    made = iter(()) if settings is None else safety_recount_of_topics(settings, safety)
    recounted: Iterator[Recounted | RecountedSafety] = chain(counting.recount(counted), made)
    # Each is printed at once, so on the same terminal the results are the progress.
    with row_progress("alerts", len(chosen), hidden=sys.stdout.isatty()) as done:
        for result in recounted:
            typer.echo(_json(result) if as_json else _text(result))
            results.append(result)
            done.advance(1)
    differ = sum(bool(result.differences) for result in results)
    if not as_json:
        typer.echo(_summary(results, differ))
    if settings is None and safety and not as_json:
        typer.echo(
            f"{len(safety):,} safety alerts left out: those of a replay name no notices, and are "
            "recomputed by the replay itself."
        )
    if differ:
        raise typer.Exit(1)


def _priors(given: Sequence[GammaMixture | None], file: Path | None) -> dict[str, GammaMixture]:
    known = {prior.prior_id: prior for prior in given if prior is not None}
    for number, line in read_lines(file) if file else ():
        try:
            event = PriorRefit.model_validate_json(line)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]["msg"]
            msg = f"--priors {file}: line {number} must be a prior's refit; got {problem}"
            raise InputError(msg) from error
        known[event.prior_id] = prior_of(event)
    return known


def _text(result: Recounted | RecountedSafety) -> str:
    alert = result.alert
    outcome = "DIFFERS" if result.differences else "equal"
    about = (
        f"{alert.event} with {alert.drug}, {alert.window.label}"
        if isinstance(alert, Alert)
        else f"{alert.category} {alert.kind}"
    )
    lines = [
        f"{outcome:<8} {alert.alert_id}  {alert.evaluated_on}  {about}: "
        f"{result.compared} values, {result.messages:,} messages"
    ]
    lines += [
        f"         {value.name}: published {value.published!r}, recounted {value.recounted!r}"
        for value in result.differences
    ]
    return "\n".join(lines)


def _json(result: Recounted | RecountedSafety) -> str:
    content = {
        "alert_id": result.alert.alert_id,
        "equal": not result.differences,
        "messages": result.messages,
        "compared": result.compared,
        **({"rules_known": result.rules_known} if isinstance(result, Recounted) else {}),
        "differences": {
            value.name: {"published": value.published, "recounted": value.recounted}
            for value in result.differences
        },
    }
    return json.dumps(content, ensure_ascii=False, default=str)


def _summary(results: Sequence[Recounted | RecountedSafety], differ: int) -> str:
    text = (
        f"{len(results):,} alerts recounted: {len(results) - differ:,} equal to the last bit, "
        f"{differ:,} differ; {sum(result.compared for result in results):,} values compared."
    )
    if strange := sum(isinstance(r, Recounted) and not r.rules_known for r in results):
        text += (
            f" For {strange:,} alerts the firing of rules was not compared: their rules are not "
            "those given with --rules, --screening and --list."
        )
    return text
