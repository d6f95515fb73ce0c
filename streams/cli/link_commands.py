"""`tocsin link`: links between probable duplicates, to review, correct and publish."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import InputError
from streams.cli.kafka_commands import BootstrapOption, ConfigOption
from streams.cli.options import require_apart, tomorrow, writable
from streams.cli.replay_commands import Format
from streams.cli.tables import summary_table
from streams.cli.terminal import Console
from streams.core.duplicates.probable import DEFAULT_POLICY, LinkagePolicy, decide, records_frame
from streams.exports.result_file import result_file
from streams.runtime.operations.current_cases import cases_of_files, cases_of_topic
from streams.runtime.operations.splink_scores import score_pairs
from streams.runtime.settings import Settings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("link")(link)


def link(
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE.jsonl", help="Write the links as JSON Lines."),
    ],
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="SOURCE", help="Files as for replay; by default the reports on Kafka."
        ),
    ] = None,
    source_format: Annotated[
        Format | None, typer.Option("--format", help="Format of the files; by default detected.")
    ] = None,
    policy: Annotated[
        Path,
        typer.Option(
            metavar="FILE.toml",
            help="Linkage policy: thresholds of the scores, and the model that computes them.",
        ),
    ] = DEFAULT_POLICY,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Find cases of probably the same patient, and write a link for all but one of each group.

    Counts change only after the links are published, and only if the policy or a person applies
    them. To see their effect beforehand, replay them with the reports.

        tocsin link reports.jsonl -o links.jsonl
        tocsin replay reports.jsonl links.jsonl
        tocsin publish links.jsonl
    """
    chosen = LinkagePolicy.read(policy)
    require_apart([*(sources or ()), policy], [output])
    writable(output)
    if sources:
        cases = cases_of_files(sources, source_format and source_format.value, horizon=tomorrow())
    else:
        settings = Settings.load(config, bootstrap=bootstrap)
        cases = cases_of_topic(settings, horizon=tomorrow())
    if not cases:
        msg = "link: there must be cases to compare; got none"
        raise InputError(msg)
    records = records_frame(cases.values())
    pairs = score_pairs(records, chosen)
    links = decide(cases, pairs, chosen)
    with result_file(output) as part:
        lines = "".join(link.model_dump_json() + "\n" for link in links)
        part.write_text(lines, encoding="utf-8")
    states = Counter(link.state.value for link in links)
    rows: dict[str, object] = {
        "cases": len(cases),
        "  compared": records.height,
        "pairs that may be one patient": len(pairs),
        "links written": len(links),
    }
    rows |= {f"  {state}": number for state, number in sorted(states.items())}
    Console().print(summary_table(rows, "Link"))
