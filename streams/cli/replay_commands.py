"""`tocsin replay`: run files through all stages in one process, without a broker."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.markup import escape

from schemas.alert import Alert, AlertKind
from schemas.base import Message
from schemas.notice import Notice
from schemas.rejected import Rejected
from schemas.suppressed import SuppressionReason
from streams.cli.negative_controls import ControlsOption
from streams.cli.options import (
    AdjustedPriorOption,
    AgeBandsOption,
    ConfigOption,
    DetectorChoice,
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
    interval_days,
    parse_day,
    require_apart,
    tomorrow,
    writable,
)
from streams.cli.printable import printable
from streams.cli.progress import file_progress
from streams.cli.tables import repair_rows, summary_table, unmapped_rows
from streams.cli.terminal import Console
from streams.cli.verdict import NothingAccepted, RunVerdict
from streams.core.counting.windows import WindowSpec
from streams.exports.result_file import result_file
from streams.intake.files import read_source
from streams.intake.notices import read_notices
from streams.runtime.detector_settings import DetectorSettings
from streams.runtime.embedded.replay import Replay
from streams.runtime.wire.alerts import encode_alert

__all__ = ["Format", "feed_sources", "register", "replayed_daily"]


class Format(StrEnum):
    """Source formats."""

    NATIVE = "native"
    ARRAY = "array"
    VAERS = "vaers"
    FAERS = "faers"
    E2B = "e2b"
    OPENFDA = "openfda"
    JADER = "jader"
    EUDRAVIGILANCE = "eudravigilance"
    CANADA_VIGILANCE = "canada_vigilance"
    MAUDE = "maude"
    FHIR = "fhir"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("replay")(replay)


def replay(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE",
            help="Files of any format in docs/formats, detected by content.",
        ),
    ],
    source_format: Annotated[
        Format | None,
        typer.Option("--format", help="Format of the files; by default detected from the content."),
    ] = None,
    release: ReleaseOption = None,
    mapping: MappingOption = None,
    every: Annotated[
        str,
        typer.Option(
            metavar="INTERVAL", help="Evaluate at this interval of event time: 1d, 7d, 2w."
        ),
    ] = "1d",
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
    notices: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE.jsonl",
            help="Notices as JSON Lines: rumours, denials, usage; never counted. May be repeated.",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Leave out reports received after this day.")
    ] = None,
    alerts: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jsonl", help="Write every alert revision as JSON Lines."),
    ] = None,
    counts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.parquet",
            help="Write the final counts of every window, and expected_adjusted.",
        ),
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl", help="Write messages that could not be read, with the reason."
        ),
    ] = None,
    priors: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jsonl", help="Write every prior fitted by --refit."),
    ] = None,
    suppressed: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl", help="Write suppressed signal changes, with the reason."
        ),
    ] = None,
    watch_items: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl",
            help="Write serious cases that need follow-up, with the questions to ask.",
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Run files through all stages, as if their reports arrived now. Needs no broker.

    Reports of archives are read in order of receipt, native JSON Lines in file order. The same
    input gives the same alerts, byte for byte. Unreadable rows are rejected and never stop the run.

        tocsin replay 1990VAERSData.zip --every 1d --counts counts.parquet --alerts alerts.jsonl
    """
    started = time.monotonic()
    written = [alerts, counts, rejects, priors, suppressed, watch_items]
    settings = DetectorSettings.load(
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
    controls = filter(None, [settings.negative_controls])
    require_apart([*sources, *(notices or ()), *controls], written)
    verdict = RunVerdict("replay")
    released_on = parse_day(release, "--release")
    with ExitStack() as files:
        write_alert = files.enter_context(_json_lines(writable(alerts), encode_alert))
        write_reject = files.enter_context(
            _json_lines(writable(rejects), kept_after=NothingAccepted)
        )
        reject = partial(_reject, write_reject, verdict)
        found = [notice for path in notices or () for notice in _read(path, verdict, reject)]
        chosen = detector_from(settings)
        run = Replay(
            chosen.windows,
            chosen.rules,
            **chosen.options,
            every=interval_days(every),
            until=parse_day(until, "--until"),
            horizon=tomorrow(),
            on_alert=write_alert,
            on_safety_alert=write_alert,
            on_rejected=reject,
            notices=found,
            on_refit=files.enter_context(_json_lines(writable(priors))),
            on_suppressed=None
            if suppressed is None
            else files.enter_context(_json_lines(writable(suppressed))),
            on_watch_item=None
            if watch_items is None
            else files.enter_context(_json_lines(writable(watch_items))),
        )
        write_counts = files.enter_context(_counts(writable(counts)))
        unread = verdict.rejected
        feed_sources(run, sources, source_format, released_on, verdict, mapping)
        run.finish()
        write_counts(run)
        verdict.require_accepted()
    _print_summary(run, started, len(found), unread, verdict)


def _read(path: Path, verdict: RunVerdict, reject: Callable[[Rejected], None]) -> Iterator[Notice]:
    verdict.begin(path)
    for item in read_notices(path):
        verdict.read(1)
        if isinstance(item, Notice):
            yield item
        else:
            reject(item)


def _reject(write: Callable[[Message], None], verdict: RunVerdict, rejected: Rejected) -> None:
    verdict.reject(rejected)
    write(rejected)


def feed_sources(
    run: Replay,
    sources: Sequence[Path],
    source_format: Format | None,
    released_on: date | None,
    verdict: RunVerdict,
    mapping: Path | None = None,
) -> None:
    """Run the items of files through a replay, with a progress display."""
    name = source_format and source_format.value
    with file_progress(sources) as progress:
        for path in sources:
            verdict.begin(path)
            items = read_source(
                path,
                name,
                run.summary.repaired,
                unmapped=run.summary.unmapped,
                released_on=released_on,
                mapping=mapping,
                meter=progress.begin(path),
            )
            for number in run.feed(path.name, items):
                verdict.read(number)
                progress.advance(number)


def replayed_daily(
    command: str,
    sources: Sequence[Path],
    source_format: Format | None,
    chosen: DetectorChoice,
    until: date | None,
) -> tuple[Replay, list[Alert]]:
    """Replay files with an evaluation every day, in the cumulative window; return the alerts."""
    found: list[Alert] = []
    verdict = RunVerdict(command)
    run = Replay(
        [WindowSpec.parse("cumulative")],
        chosen.rules,
        **chosen.options,
        every=1,
        until=until,
        horizon=tomorrow(),
        on_alert=found.append,
        on_rejected=verdict.reject,
    )
    feed_sources(run, sources, source_format, None, verdict)
    run.finish()
    verdict.require_accepted()
    for line in verdict.remarks():
        typer.echo(line, err=True)
    return run, found


def _print_summary(
    run: Replay, started: float, notices: int, unread: int, verdict: RunVerdict
) -> None:
    Console().print(_summary(run, time.monotonic() - started, notices, unread))
    for line in verdict.remarks():
        typer.echo(line)


def _summary(run: Replay, seconds: float, notices: int, unread: int) -> object:
    summary = run.summary
    rows: dict[str, object] = {
        "messages read": summary.messages,
        "  first version of a case": summary.tally["first"],
        "  later version": summary.tally["replaced"],
        "  repeated": summary.tally["repeated"],
        "  stale": summary.tally["stale"],
        "  conflicting (one number, two contents)": summary.tally["conflicting"],
        "links between cases": summary.tally["linked"],
        "releases closed": summary.tally["released"],
        "identifiers that too many cases share": summary.refused_identifiers,
        "received after --until": summary.after_until,
        "rejected": summary.rejected.total(),
    }
    rows |= {
        f"  from {escape(printable(source))}": number
        for source, number in sorted(summary.rejected.items())
    }
    rows |= repair_rows(summary.repaired) | unmapped_rows(summary.unmapped)
    rows["cases counted"] = summary.population["counted"]
    reasons = sorted(set(summary.population) - {"counted"})
    rows |= {f"  excluded, {reason}": summary.population[reason] for reason in reasons}
    rows |= {
        "drug-event pairs": run.detector.n_pairs,
        "evaluations": summary.evaluations,
        "last day": run.last_day or "none",
        "rule crossings, either way": run.detector.crossings,
        "signals": summary.alerts[AlertKind.NEW],
        "alarms raised": summary.alarms,
        "alert revisions": summary.alerts.total(),
    }
    rows |= {f"  {kind}": summary.alerts[kind] for kind in AlertKind}
    suppressed = run.detector.suppressed
    rows["changes suppressed"] = suppressed.total()
    rows |= {f"  {reason}": suppressed[reason] for reason in SuppressionReason}
    if notices or unread:
        rows["notices"] = notices
        rows["  rejected"] = unread
    if summary.safety_alerts:
        rows["safety alert revisions"] = summary.safety_alerts.total()
        found = sorted(summary.safety_alerts.items())
        rows |= {f"  {category}": number for category, number in found}
    rows["seconds"] = f"{seconds:.1f}"
    rows["messages a second"] = int(summary.messages / seconds)
    return summary_table(rows, "Replay")


def _encode(message: Message) -> bytes:
    return message.model_dump_json().encode()


@contextmanager
def _json_lines(
    path: Path | None,
    encode: Callable[[Any], bytes] = _encode,
    kept_after: type[Exception] | None = None,
) -> Iterator[Callable[[Message], None]]:
    if path is None:
        yield lambda message: None
        return
    with result_file(path, kept_after=kept_after) as part, part.open("wb") as out:
        yield lambda message: _write_line(out, encode(message))


@contextmanager
def _counts(path: Path | None) -> Iterator[Callable[[Replay], None]]:
    if path is None:
        yield lambda run: None
        return
    with result_file(path) as part:
        yield lambda run: run.detector.all_counts(adjusted=True).write_parquet(part)


def _write_line(out: IO[bytes], encoded: bytes) -> None:
    out.write(encoded + b"\n")
