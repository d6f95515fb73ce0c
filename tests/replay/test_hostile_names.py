"""Every command, on names that would steer a terminal: none is printed as it is."""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from streams.cli.app import command_line
from tests.support.cli import tocsin

HOSTILE = (
    "\x1b[5;7;8mA\x1b]0;T\x07\x1b]52;c;eA==\x1b\\\x1b]8;;http:x\x1b\\\x9b2J\x9d0;T\x9c\x7f\r\b"
    "\u202e\u200b\u2028Z[red]"
)
"""Of a name of a file: SGR, title, clipboard, link, C1 controls, DEL, bidi, zero width, markup."""

NAME = HOSTILE + "[/]x"
STEERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\udc80-\udcff]")
OWN = re.compile(r"\x1b\[(?!5;7;8m)[0-9;]*m|\x1b\[\?25[lh]|\r?\x1b\[1A|\r?\x1b\[2K")
"""Our colours, and of a progress display: the cursor hidden and shown, a line up or erased."""

REPORTS, ALERTS, COUNTS, REJECTS = (
    f"{what}{HOSTILE}.{suffix}"
    for what, suffix in (("r", "jsonl"), ("a", "jsonl"), ("c", "parquet"), ("x", "jsonl"))
)
OUTBOX, LOG, AWAY = f"o{HOSTILE}.db", f"l{HOSTILE}.jsonl", f"away{HOSTILE}.jsonl"


def report(number: int, drug: str, event: str) -> dict[str, Any]:
    day = f"2024-01-{1 + number % 28:02}"
    product = {"substances": [drug], "lot": NAME, "facility": {"facility_id": NAME}}
    return {
        "case_id": f"{NAME}{number}",
        "first_received": day,
        "latest_received": day,
        "sender": NAME,
        "products": [product | {"verbatim": NAME, "manufacturer": NAME}],
        "reactions": [{"term": event, "outcome": "fatal" if number < 3 else "unknown"}],
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with hostile reports, and what a replay and an assessor made of them."""
    folder = tmp_path_factory.mktemp("made")
    reports = [report(number, NAME, NAME) for number in range(12)]
    reports += [report(100 + each, f"B{each % 5}", f"E{each % 7}") for each in range(80)]
    lines = [*map(json.dumps, reports), json.dumps({"case_id": "x", NAME: 1}), "{"]
    (folder / REPORTS).write_text("\n".join(lines))
    written = ["--alerts", ALERTS, "--counts", COUNTS, "--rejects", REJECTS]
    assert tocsin("replay", REPORTS, *written, folder=folder).code == 0
    return folder


def key_of(folder: Path) -> str:
    with (folder / ALERTS).open(newline="\n") as lines:
        return str(next(found["signal_key"] for found in map(json.loads, lines) if "drug" in found))


BY = ("--by", NAME, "--reason", NAME, "--log", LOG, "--alerts", ALERTS)
LATER = ("--assignee", NAME, *BY)
SAVED = ("subscribe", "one", "--subscriber", NAME, "--folder", HOSTILE, "--outbox", OUTBOX)
# Of each line the last command is the one that is looked at; `KEY` is that of a signal.
LINES: list[list[tuple[str, ...]]] = [
    [("replay", REPORTS)],
    [("replay", AWAY)],
    [("replay", REPORTS, "--rules", AWAY)],
    [("replay", f"--{NAME}")],
    [(NAME,)],
    [("top", REPORTS)],
    [("top", "--alerts", ALERTS, "--json")],
    [("explain", NAME, NAME, REPORTS)],
    [("explain", NAME, NAME, REPORTS, "--json")],
    [("explain", "B1", NAME + "q", REPORTS)],
    [("plot", "signal", NAME, NAME, REPORTS, "-o", f"{HOSTILE}.svg")],
    [("plot", "volcano", REPORTS, "-o", f"{HOSTILE}.png")],
    [("plot", "forest", "B1", NAME + "q", REPORTS, "-o", "f.svg")],
    [("score", COUNTS, "-o", "s.parquet")],
    [("fit", COUNTS, "-o", "f.json")],
    [("backtest", REPORTS, "--against", "ema")],
    [("export", "ermr", ALERTS, "-o", f"{HOSTILE}.csv")],
    [("export", "readus", ALERTS, "-o", f"{HOSTILE}.md")],
    [("export", "jsonl", ALERTS, "--all", "-o", f"{HOSTILE}.jsonl")],
    [("recount", "--alerts", ALERTS, "--source", REPORTS)],
    [("recount", NAME, "--alerts", ALERTS, "--source", REPORTS)],
    [("link", REPORTS, "-o", f"{HOSTILE}.jsonl")],
    [("signals", "decide", NAME, "under_triage", *LATER)],
    [("signals", "decide", "KEY", "under_triage", *LATER)],
    [("signals", "decide", "KEY", "under_triage", *LATER), ("signals", "list", "--log", LOG)],
    [("signals", "decide", "KEY", "under_triage", *LATER), ("audit", "show", "KEY", "--log", LOG)],
    [("signals", "decide", "KEY", "under_triage", *LATER), ("audit", "verify", LOG)],
    [("audit", "verify", REPORTS)],
    [(*SAVED, "--yes")],
    [(*SAVED, "--product", NAME, "--preview", ALERTS, "--yes")],
    [("subscribe", NAME, "--subscriber", NAME, "--stream", "--yes", "--outbox", OUTBOX)],
    [(*SAVED, "--yes"), ("subscriptions", "--outbox", OUTBOX)],
    [(*SAVED, "--yes"), ("deliver", ALERTS, "--once", "--outbox", OUTBOX)],
    [("subscriptions", "--pause", NAME, "--outbox", OUTBOX)],
    [("tokens", "add", NAME, "--scope", "alerts:read", "--outbox", OUTBOX)],
    [
        ("tokens", "add", NAME, "--scope", "alerts:read", "--outbox", OUTBOX),
        ("tokens", "list", "--outbox", OUTBOX),
    ],
    [("tokens", "revoke", NAME, "--outbox", OUTBOX)],
    [("serve", "--port", NAME)],
    [("alerts", "--bootstrap", NAME)],
    [("topics", "create", "--bootstrap", NAME)],
    [("publish", REPORTS, "--bootstrap", NAME)],
    [("run", "--bootstrap", NAME)],
    [("rejected", "list", "--bootstrap", NAME)],
    [("state", "inspect", "--config", AWAY)],
    [("schema", NAME)],
    [("fixtures", "--scenario", "exosome", "-o", HOSTILE)],
    [("demo", NAME)],
    [("validate", NAME)],
    [("validate", REPORTS)],
    [("ack", REPORTS, "-o", f"{HOSTILE}.ack")],
    [("map", "init", COUNTS, "-o", f"{HOSTILE}.toml")],
    [("desk", AWAY, "--no-open", "--port", "0")],
    [("accounts", "disable", NAME)],
    [("accounts", "add", NAME, "--scope", "alerts:read")],
]


@pytest.mark.parametrize("live", [False, True], ids=["plain", "terminal"])
@pytest.mark.parametrize("line", LINES, ids=lambda line: line[-1][0][:9].strip("\x1b"))
def test_no_name_reaches_the_terminal_raw(
    line: Sequence[Sequence[str]],
    live: bool,
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(made, tmp_path / "made")
    monkeypatch.setenv("TIER_KEY", "k" * 32)
    if live:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
    key = key_of(made)
    for words in line:
        ended = tocsin(
            *(key if word == "KEY" else word for word in words), folder=tmp_path / "made"
        )
    text = ended.out + ended.err
    assert text
    assert "defect" not in text
    assert not STEERS.search(OWN.sub("", text))


def test_every_command_is_among_them() -> None:
    app = command_line()
    named = {each.name for each in (*app.registered_commands, *app.registered_groups)}
    assert named <= {line[-1][0] for line in LINES}
