"""`tocsin link`: probable duplicates, as links that somebody may look at, mend and publish."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from schemas.errors import InputError
from streams.cli.kafka_commands import BootstrapOption, ConfigOption
from streams.cli.options import require_apart, tomorrow, writable
from streams.cli.replay_commands import Format
from streams.cli.tables import summary_table
from streams.core.duplicates.probable import DEFAULT_POLICY, LinkagePolicy, decide, records_frame
from streams.runtime.operations.current_cases import cases_of_files, cases_of_topic
from streams.runtime.operations.splink_scores import score_pairs
from streams.runtime.settings import Settings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("link")(link)


def link(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Write the links, one JSON object a line.")
    ],
    sources: Annotated[
        list[Path] | None,
        typer.Argument(help="Files as for replay; by default the reports on Kafka."),
    ] = None,
    source_format: Annotated[
        Format | None, typer.Option("--format", help="What the files are; by default found out.")
    ] = None,
    policy: Annotated[
        Path, typer.Option(help="Scores that are published, and what they are computed with.")
    ] = DEFAULT_POLICY,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Find cases that are probably one patient, and write a link for each but one of them.

    Nothing changes until the links are published, and then no count changes unless the policy
    applies links, or a person does. Links are input: to see what they would do, replay them.

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
    output.write_text("".join(one.model_dump_json() + "\n" for one in links), encoding="utf-8")
    states = Counter(one.state.value for one in links)
    rows: dict[str, object] = {
        "cases": len(cases),
        "  compared": records.height,
        "pairs that may be one patient": len(pairs),
        "links written": len(links),
    }
    rows |= {f"  {state}": number for state, number in sorted(states.items())}
    Console().print(summary_table(rows, "Link"))
