"""`tocsin recount`: an alert's numbers made anew from the messages it was made from."""

import json
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
from streams.cli.options import (
    DEFAULT_RULES,
    ListOption,
    PriorOption,
    RulesOption,
    lists_from,
    prior_from,
    rules_from,
)
from streams.cli.replay_commands import Format
from streams.core.recount.alerts import Recounted
from streams.core.recount.safety import RecountedSafety
from streams.intake.native import read_lines
from streams.runtime.broker.topic_reader import read_alerts
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
        list[str] | None, typer.Argument(metavar="ALERT_ID...", help="Alerts, by alert_id.")
    ] = None,
    alerts: Annotated[
        Path | None,
        typer.Option(help="Alerts in a file, one JSON object a line; else those on the topic."),
    ] = None,
    sources: Annotated[
        list[Path] | None,
        typer.Option("--source", help="Files that were replayed, in that order; else the topic."),
    ] = None,
    source_format: Annotated[
        Format | None, typer.Option("--format", help="What the files are; by default found out.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="So many alerts, chosen at random.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed chooses the same alerts.")] = 1,
    rules: RulesOption = DEFAULT_RULES,
    lists: ListOption = None,
    prior: PriorOption = None,
    priors: Annotated[
        Path | None, typer.Option(help="Priors fitted on the way, from tocsin replay --priors.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object an alert.")] = False,
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings file; by default tocsin.toml here.")
    ] = None,
    bootstrap: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Kafka brokers, comma-separated.")
    ] = None,
) -> None:
    """Make the numbers of alerts anew from the input they name, and compare every bit.

    Every message before the `as_of` offsets of an alert is read again, the latest version of each
    case is counted in one pass, and counts, statistics, cases and rules are compared with what was
    published. Ends with 1 if anything differs.

        tocsin recount 5f0c1d... --rules mhra,ema,ic

        tocsin recount --sample 100 --seed 1

        tocsin recount --alerts alerts.jsonl --source reports.jsonl

    Not compared: kind, reason, revision and previous, which depend on what had been published, and
    test_recomputed, which depends on when a correction came. Of a safety alert everything is: it is
    made anew from the reports and notices before its offsets and the revision before it.
    """
    if sources and alerts is None:
        msg = "recount: --source needs --alerts, the alerts that the replay of these files wrote"
        raise InputError(msg)
    if not (ids or sample or alerts):
        msg = "recount: alerts must be named by id, by --sample or by --alerts; got none"
        raise InputError(msg)
    asked = rules_from(rules, lists_from(lists))
    known = _priors(prior_from(prior), priors)
    settings = None if sources else Settings.load(config, bootstrap=bootstrap)
    if alerts is not None:
        found = read_alert_file(alerts)
    else:
        assert settings is not None
        found = read_alerts(settings, follow=False, stopped=lambda: False)
    chosen = choose(found, ids=ids or (), sample=sample, seed=seed)
    counted = [alert for alert in chosen if isinstance(alert, Alert)]
    if settings is None:
        name = source_format and source_format.value
        counting = recount_of_files(sources or (), name, asked, priors=known)
    else:
        counting = recount_of_topics(settings, counted, asked, priors=known)
    results: list[Recounted | RecountedSafety] = []
    safety = [alert for alert in chosen if isinstance(alert, SafetyAlert)]
    made = iter(()) if settings is None else safety_recount_of_topics(settings, safety)
    recounted: Iterator[Recounted | RecountedSafety] = chain(counting.recount(counted), made)
    for result in recounted:
        typer.echo(_json(result) if as_json else _text(result))
        results.append(result)
    differ = sum(bool(result.differences) for result in results)
    if not as_json:
        typer.echo(_summary(results, differ))
    if settings is None and safety and not as_json:
        typer.echo(
            f"{len(safety):,} safety alerts left out: those of a replay name no notices, and are "
            "made anew by the replay itself."
        )
    if differ:
        raise typer.Exit(1)


def _priors(one: GammaMixture | None, file: Path | None) -> dict[str, GammaMixture]:
    known = {} if one is None else {one.prior_id: one}
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
        f"         {one.name}: published {one.published!r}, recounted {one.recounted!r}"
        for one in result.differences
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
            one.name: {"published": one.published, "recounted": one.recounted}
            for one in result.differences
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
            f" Whether rules fire was not asked for {strange:,}: their rules are not those given "
            "with --rules and --list."
        )
    return text
