"""`tocsin topics`, `publish`, `run` and `alerts`: the same stages on Kafka."""

import gc
import logging
import time
from collections import Counter
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from schemas.errors import InputError
from schemas.safety_alert import SafetyAlert
from streams.cli.options import (
    DEFAULT_RULES,
    ListOption,
    PolicyOption,
    PriorOption,
    RefitOption,
    RulesOption,
    WindowOption,
    interval_days,
    lists_from,
    prior_from,
    rules_from,
    windows_from,
    writable,
)
from streams.cli.replay_commands import Format, item_progress
from streams.cli.stopping import StopSignal
from streams.cli.tables import alert_table, summary_table
from streams.core.signals.realert_policy import load_policy
from streams.intake.files import read_source
from streams.intake.notices import read_notices
from streams.runtime.broker.topic_reader import read_alerts
from streams.runtime.broker.topics import create_topics
from streams.runtime.observability.journal import LogFormat, logging_as
from streams.runtime.observability.setup import StatusPoller, open_observers
from streams.runtime.operations.publish import publish_notices, publish_source
from streams.runtime.settings import Settings
from streams.runtime.wire.alerts import AnyAlert
from streams.runtime.workers.case_worker import CaseWorker
from streams.runtime.workers.detect_worker import DetectWorker
from streams.runtime.workers.link_worker import LinkWorker
from streams.runtime.workers.retrying import RetryingWorker

__all__ = ["register"]

_LOG = logging.getLogger(__name__)
_POLL_MS = 100  # shared by the stages of a process; a poll of 0 ms would never join a group
_PROGRESS_SECONDS = 10.0  # least interval between progress lines in the log
_COLLECT_EVERY = 10.0  # seconds; a detector leaves some 1,000 objects a second, a megabyte in all

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", help="Settings file; by default tocsin.toml here. TOCSIN_... and flags win."
    ),
]
BootstrapOption = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Kafka brokers, comma-separated.")
]


Worker = LinkWorker | CaseWorker | DetectWorker


class Stage(StrEnum):
    """Which stages a worker runs."""

    LINK = "link"
    CASES = "cases"
    DETECT = "detect"
    ALL = "all"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    topics = typer.Typer(help="The topics on Kafka.", no_args_is_help=True)
    topics.command("create")(create)
    app.add_typer(topics, name="topics")
    app.command("publish")(publish)
    app.command("run")(run)
    app.command("alerts")(alerts)


def create(config: ConfigOption = None, bootstrap: BootstrapOption = None) -> None:
    """Make the topics that are missing; say where existing ones differ from the design.

    Partitions, replication and the prefix come from the settings: partitions, replication_factor,
    topic_prefix. Running it again changes nothing.
    """
    report = create_topics(Settings.load(config, bootstrap=bootstrap))
    for name in report.created:
        typer.echo(f"created   {name}")
    for name in report.existing:
        typer.echo(f"exists    {name}")
    if report.mismatched:
        msg = "topics: existing topics must fit; got " + "; ".join(map(str, report.mismatched))
        raise InputError(msg)


def publish(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(help="Native JSON lines, VAERS yearly zips, FAERS quarterly zips."),
    ] = None,
    notices: Annotated[
        list[Path] | None,
        typer.Option(help="Notices as JSON lines: what is not a case, and is never counted."),
    ] = None,
    source_format: Annotated[
        Format | None, typer.Option("--format", help="What the files are; by default found out.")
    ] = None,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Publish the reports and notices of files; what cannot be read goes to the rejects.

    May be run again after a failure: repeated reports change no count, repeated notices nothing.

        tocsin publish reports.jsonl --notices notices.jsonl
    """
    if not (sources or notices):
        msg = "publish: files of reports, or of notices with --notices, must be given; got none"
        raise InputError(msg)
    settings = Settings.load(config, bootstrap=bootstrap)
    tally: Counter[str] = Counter()
    with item_progress() as progress:
        for path in sources or ():
            task = progress.add_task(path.name, total=None)
            items = read_source(path, source_format and source_format.value)
            for number in publish_source(settings, path.name, items, tally):
                progress.advance(task, number)
        for path in notices or ():
            task = progress.add_task(path.name, total=None)
            for number in publish_notices(settings, path.name, read_notices(path), tally):
                progress.advance(task, number)
    rows = {"reports published": tally["reports"], "notices published": tally["notices"]}
    Console().print(summary_table({**rows, "rejected": tally["rejected"]}, "Publish"))


def run(
    stage: Annotated[
        Stage, typer.Option(help="link, cases (start as many as you like), detect, or all.")
    ] = Stage.ALL,
    window: WindowOption = None,
    rules: RulesOption = DEFAULT_RULES,
    lists: ListOption = None,
    policy: PolicyOption = None,
    prior: PriorOption = None,
    refit: RefitOption = None,
    drain: Annotated[
        bool, typer.Option("--drain", help="Stop once all that is published by now is done.")
    ] = False,
    counts: Annotated[
        Path | None, typer.Option(help="On stopping, write the counts of every window (detect).")
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="Serve /metrics and /health on this port of 127.0.0.1; 0 is any free one.",
        ),
    ] = None,
    log_format: Annotated[
        LogFormat | None, typer.Option(help="text, or json: one object a line, with the journal.")
    ] = None,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Run the stages until stopped (Ctrl-C or SIGTERM ends the batch, then stops).

    State is kept in state_dir, one database a partition; a restart goes on where it stopped.
    More workers are more processes with the same command.
    """
    settings = Settings.load(
        config,
        bootstrap=bootstrap,
        metrics_bind=None if metrics_port is None else f"127.0.0.1:{metrics_port}",
        log_format=log_format,
    )
    if counts is not None and stage in (Stage.LINK, Stage.CASES):
        msg = (
            f"--counts: the {stage.value} stage keeps no counts; use it with --stage detect or all"
        )
        raise InputError(msg)
    writable(counts)
    stop = StopSignal()
    workers: list[Worker] = []
    chosen = rules_from(rules, lists_from(lists))
    stages = [name for name in ("link", "cases", "detect") if stage in (name, Stage.ALL)]
    frame = None
    with ExitStack() as opened:  # closes every worker, the last first, whatever happens
        connections = opened.enter_context(logging_as(settings.log_format))
        names = [rule.name for rule in chosen.rules]
        watch = opened.enter_context(
            open_observers(settings, stages, names, connections.unreachable_reason)
        )
        if stage in (Stage.LINK, Stage.ALL):
            workers.append(LinkWorker(settings, watch.observer))
            opened.callback(workers[-1].close)
        if stage in (Stage.CASES, Stage.ALL):
            workers.append(CaseWorker(settings, watch.observer))
            opened.callback(workers[-1].close)
        if stage in (Stage.DETECT, Stage.ALL):
            detector = DetectWorker(
                settings,
                windows_from(window),
                chosen,
                policy=load_policy(policy),
                prior=prior_from(prior),
                refit_every=None if refit is None else interval_days(refit, "--refit"),
                observer=watch.observer,
            )
            workers.append(detector)
            opened.callback(detector.close)
        # Not before: the client warns of every attempt to connect, and the error says it once.
        connections.report_warnings()
        _loop([RetryingWorker(worker) for worker in workers], stop, watch, drain=drain)
        if counts is not None:
            frame = detector.counts()
    if counts is not None:
        if frame is None:
            msg = "--counts: this worker was standing by and has no counts; ask the active one"
            raise InputError(msg)
        frame.write_parquet(counts)
    tally = sum((worker.tally for worker in workers), Counter())
    Console().print(summary_table(dict(sorted(tally.items())), "Run"))


def alerts(
    follow: Annotated[
        bool, typer.Option("--follow", help="Wait for further alerts until interrupted.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line instead of a table.")
    ] = False,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Print the alerts on the topic, safety alerts among them, from the first one on."""
    settings = Settings.load(config, bootstrap=bootstrap)
    stop = StopSignal()
    if as_json:
        for alert in read_alerts(settings, follow=follow, stopped=stop.asked):
            typer.echo(alert.model_dump_json())
    elif follow:
        for alert in read_alerts(settings, follow=True, stopped=stop.asked):
            what = f"{alert.category}: " if isinstance(alert, SafetyAlert) else ""
            typer.echo(f"{alert.evaluated_on}  {alert.kind.value:<12}  {what}{alert.sentence}")
    else:
        found: list[AnyAlert] = list(read_alerts(settings, follow=False, stopped=stop.asked))
        Console().print(alert_table(found, f"{len(found):,} alert revisions"))


def _loop(
    workers: list[RetryingWorker], stop: StopSignal, watch: StatusPoller, *, drain: bool
) -> None:
    # A batch makes a million values and no cycle among them: the collector may rest. But each poll
    # of kafka-python that runs out of time leaves one, with whatever its frames were about.
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)
    collected = time.monotonic()
    ends = workers[0].ends() if drain else None
    linking = workers[0].stage == LinkWorker.stage
    logged_at, logged = time.monotonic(), Counter[str]()
    while not stop.asked():
        for worker in workers:
            worker.step(_POLL_MS // len(workers))
        watch.poll(workers)
        if time.monotonic() - collected > _COLLECT_EVERY:
            collected = time.monotonic()
            gc.collect()
        if ends is not None and linking and workers[0].drained(ends):
            ends, linking = workers[0].ends(), False  # the links that came of it belong to it
        if ends is not None and all(worker.drained(ends) for worker in workers):
            return
        if time.monotonic() - logged_at > _PROGRESS_SECONDS:
            logged_at = time.monotonic()
            tally = sum((worker.tally for worker in workers), Counter[str]())
            if tally != logged:
                _log_progress(tally)
                logged = tally


def _log_progress(tally: Counter[str]) -> None:
    """Log the totals since the start, as text and as fields."""
    totals = dict(sorted(tally.items()))
    text = "; ".join(f"{name}: {number}" for name, number in totals.items())
    _LOG.info("progress: %s", text, extra={"event": "progress", "tally": totals})
