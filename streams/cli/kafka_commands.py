"""`tocsin topics`, `publish` and `run`: the stages on Kafka."""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import InputError
from streams.cli.negative_controls import ControlsOption
from streams.cli.options import (
    AdjustedPriorOption,
    AgeBandsOption,
    ConfigOption,
    ListOption,
    MappingOption,
    PolicyOption,
    PriorOption,
    RefitOption,
    ReleaseOption,
    RulesOption,
    ScreeningOption,
    TestBySexOption,
    WindowOption,
    detector_from,
    parse_day,
    writable,
)
from streams.cli.progress import FileProgress, file_progress
from streams.cli.replay_commands import Format
from streams.cli.stopping import StopSignal
from streams.cli.tables import repair_rows, summary_table, unmapped_rows
from streams.cli.terminal import Console
from streams.cli.verdict import RunVerdict
from streams.exports.result_file import result_file
from streams.intake.files import read_source
from streams.intake.notices import read_notices
from streams.runtime.broker.topics import create_topics
from streams.runtime.detector_settings import DetectorSettings
from streams.runtime.observability.journal import LogFormat, logging_as
from streams.runtime.observability.setup import StatusPoller, open_observers
from streams.runtime.operations.publish import publish_notices, publish_source
from streams.runtime.settings import Settings
from streams.runtime.workers.case_worker import CaseWorker
from streams.runtime.workers.detect_worker import DetectWorker
from streams.runtime.workers.link_worker import LinkWorker
from streams.runtime.workers.retrying import RetryingWorker

__all__ = ["BootstrapOption", "ConfigOption", "register"]

_LOG = logging.getLogger(__name__)
_POLL_MS = 100  # ms, shared by the stages of a process; a poll of 0 ms never joins a group
_PROGRESS_SECONDS = 10.0  # least interval between progress lines in the log

BootstrapOption = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Kafka brokers, comma-separated.")
]


Worker = LinkWorker | CaseWorker | DetectWorker


class Stage(StrEnum):
    """The stages that a worker runs."""

    LINK = "link"
    CASES = "cases"
    DETECT = "detect"
    ALL = "all"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    topics = typer.Typer(help="Create the topics on Kafka.", no_args_is_help=True)
    topics.command("create")(create)
    app.add_typer(topics, name="topics")
    app.command("publish")(publish)
    app.command("run")(run)


def create(config: ConfigOption = None, bootstrap: BootstrapOption = None) -> None:
    """Create missing topics; report existing ones whose configuration differs from the design.

    The settings are partitions, replication_factor and topic_prefix. Running it again changes
    nothing.
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
        typer.Argument(
            metavar="SOURCE",
            help="Native JSON Lines, VAERS yearly zips, FAERS quarterly zips.",
        ),
    ] = None,
    notices: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE.jsonl",
            help="Notices as JSON Lines, such as rumours: never counted as cases. May be repeated.",
        ),
    ] = None,
    source_format: Annotated[
        Format | None, typer.Option("--format", help="Format of the files; by default detected.")
    ] = None,
    release: ReleaseOption = None,
    mapping: MappingOption = None,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Publish reports and notices from files; unreadable messages go to the rejects.

    It is safe to run again after a failure: repeated reports and notices change nothing.

        tocsin publish reports.jsonl --notices notices.jsonl
    """
    if not (sources or notices):
        msg = "publish: files of reports, or of notices with --notices, must be given; got none"
        raise InputError(msg)
    settings = Settings.load(config, bootstrap=bootstrap)
    released_on = parse_day(release, "--release")
    tally: Counter[str] = Counter()
    repaired: Counter[str] = Counter()
    unmapped: Counter[str] = Counter()
    verdict = RunVerdict("publish")
    name = source_format and source_format.value
    with file_progress([*(sources or ()), *(notices or ())]) as progress:
        for path in sources or ():
            verdict.begin(path)
            items = read_source(
                path,
                name,
                repaired,
                unmapped=unmapped,
                released_on=released_on,
                mapping=mapping,
                meter=progress.begin(path),
            )
            chunks = publish_source(settings, path.name, items, tally, verdict.reject)
            _follow(chunks, progress, verdict)
        for path in notices or ():
            verdict.begin(path)
            found = read_notices(path, progress.begin(path))
            chunks = publish_notices(settings, path.name, found, tally, verdict.reject)
            _follow(chunks, progress, verdict)
    rows: dict[str, object] = {
        "reports published": tally["reports"],
        "notices published": tally["notices"],
        "rejected": tally["rejected"],
    }
    if tally["releases"]:
        rows["releases closed"] = tally["releases"]
    rows |= repair_rows(repaired) | unmapped_rows(unmapped)
    Console().print(summary_table(rows, "Publish"))
    verdict.require_accepted()
    for line in verdict.remarks():
        typer.echo(line)


def _follow(chunks: Iterator[int], progress: FileProgress, verdict: RunVerdict) -> None:
    """Publish a file chunk by chunk, and count its items."""
    for number in chunks:
        verdict.read(number)
        progress.advance(number)


def run(
    stage: Annotated[
        Stage,
        typer.Option(
            help="The stage to run. Any number of workers of cases share its partitions; of "
            "detect one is active, the others are standbys."
        ),
    ] = Stage.ALL,
    window: WindowOption = None,
    rules: RulesOption = None,
    screening: ScreeningOption = None,
    lists: ListOption = None,
    policy: PolicyOption = None,
    prior: PriorOption = None,
    prior_adjusted: AdjustedPriorOption = None,
    refit: RefitOption = None,
    age_bands: AgeBandsOption = None,
    test_by_sex: TestBySexOption = None,
    negative_controls: ControlsOption = None,
    change_rules: Annotated[
        bool,
        typer.Option(
            "--change-rules",
            help="Go on with other rules, windows, policy, strata or prior than the published "
            "signals were made with; subscribers get one notice.",
        ),
    ] = False,
    drain: Annotated[
        bool,
        typer.Option(
            "--drain", help="Process the messages that are on the topics at the start, then stop."
        ),
    ] = False,
    counts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.parquet",
            help="When stopped, write the counts of every window (stage detect).",
        ),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            metavar="PORT",
            help="Serve /metrics and /health on this port of 127.0.0.1; 0 chooses a free one.",
        ),
    ] = None,
    log_format: Annotated[
        LogFormat | None,
        typer.Option(help="Log as text, or as one JSON object per line, journal entries included."),
    ] = None,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Run the stages until stopped; Ctrl-C or SIGTERM finishes the current batch first.

    State is kept in state_dir, in one database per partition; a restart resumes where it stopped.
    To add workers, start the same command again.
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
    # Read before a worker opens connections, so that an error leaves none behind.
    chosen = detector_from(
        DetectorSettings.load(
            config,
            windows=window,
            rules=rules,
            screening=screening,
            lists=lists,
            policy=policy,
            prior=prior,
            prior_adjusted=prior_adjusted,
            refit=refit,
            age_bands=age_bands,
            test_by_sex=test_by_sex,
            negative_controls=negative_controls,
        )
    )
    stages = [name for name in ("link", "cases", "detect") if stage in (name, Stage.ALL)]
    frame = None
    with ExitStack() as opened:  # closes every worker on any exit, the last one first
        connections = opened.enter_context(logging_as(settings.log_format))
        names = [rule.name for rule in chosen.rules.rules]
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
                chosen.windows,
                chosen.rules,
                **chosen.options,
                change_rules=change_rules,
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
            msg = "--counts: this worker was a standby and has no counts; ask the active one"
            raise InputError(msg)
        with result_file(counts) as part:
            frame.write_parquet(part)
    tally = sum((worker.tally for worker in workers), Counter())
    Console().print(summary_table(dict(sorted(tally.items())), "Run"))


def _loop(
    workers: list[RetryingWorker], stop: StopSignal, watch: StatusPoller, *, drain: bool
) -> None:
    ends = workers[0].ends() if drain else None
    once_more = True  # for links and re-routed messages, which are published on the input
    logged_at, logged = time.monotonic(), Counter[str]()
    while not stop.asked():
        for worker in workers:
            worker.step(_POLL_MS // len(workers))
        watch.poll(workers)
        if ends is not None and all(worker.drained(ends) for worker in workers):
            if not once_more:
                return
            ends, once_more = workers[0].ends(), False
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
