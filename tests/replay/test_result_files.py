"""Every command that writes a result gives it its name at the end, or leaves no file."""

import errno
import os
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from streams.cli import link_commands, rule_commands
from tests.support.cli import Run
from tests.support.reports import report_line
from tests.support.versions import make_link

JANUARY = date(2024, 1, 1)
PAIRS = [
    *(("zinc", "Rash"), ("lead", "Itch")) * 5,
    *(("zinc", "Itch"), ("lead", "Rash")),
    *(("iron", "Fever"),) * 10,
]
COMMANDS = [
    "replay r.jsonl --alerts out.jsonl --rejects out.rejects --counts out.parquet "
    "--suppressed out.suppressed --watch-items out.items --priors out.priors",
    "score counts.parquet -o out.parquet",
    "fit counts.parquet -o out.json",
    "backtest r.jsonl --rules ic --against mhra --details out.csv",
    "link r.jsonl -o out.jsonl",
    "export ermr alerts.jsonl -o out.csv",
    "export ermr alerts.jsonl -o out.xlsx",
    "export readus alerts.jsonl -o out.md",
    "export readus alerts.jsonl -o out.csv",
    "export jsonl alerts.jsonl --tier authority -o out.jsonl",
]


@pytest.fixture
def inputs(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files in the folder before a command."""
    lines = [report_line(f"{n}", JANUARY + timedelta(n), *pair) for n, pair in enumerate(PAIRS)]
    (tmp_path / "r.jsonl").write_text("".join(lines), encoding="utf-8")
    ended = run("replay r.jsonl --rules ic --alerts alerts.jsonl --counts counts.parquet")
    assert ended.code == 0, ended.err
    # Splink and a fit take seconds, and what they find does not matter here.
    frame: Any = pl.DataFrame({"a": []})
    monkeypatch.setattr(link_commands, "score_pairs", lambda records, policy: frame)
    monkeypatch.setattr(link_commands, "decide", lambda cases, pairs, policy: [make_link()])
    facts = SimpleNamespace(
        boundary=(), n_pairs=1, n_points=1, n_starts=1, n_converged=1, n_optima=1, spread=0.0
    )
    numbers = dict.fromkeys(("alpha1", "beta1", "alpha2", "beta2", "weight"), 0.5)
    prior = SimpleNamespace(**numbers, prior_id="x", fit=facts, model_dump_json=lambda indent: "{}")
    monkeypatch.setattr(
        rule_commands,
        "fit_gamma_mixture",
        lambda *args, **kwargs: SimpleNamespace(prior=prior, peaks=()),
    )
    return sorted(os.listdir(tmp_path))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_result_that_cannot_be_completed_leaves_no_file(
    command: str, inputs: list[str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [word for word in command.split() if word.startswith("out")]

    def full(self: Path, target: Path) -> None:
        assert self.exists()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        ended = run(command)
        assert (ended.code, "No space left" in ended.err) == (2, True), ended.err
        assert sorted(os.listdir(tmp_path)) == inputs
    ended = run(command)
    assert ended.code == 0, ended.err
    assert sorted(os.listdir(tmp_path)) == sorted([*inputs, *names])


def test_no_other_way_of_writing_a_file_is_used() -> None:
    rooms = Path(link_commands.__file__).parents[1]
    writes = ("write_text(", "write_bytes(", "write_parquet(", '.open("w', "Workbook(")
    for room in ("cli", "exports"):
        for module in sorted((rooms / room).glob("*.py")):
            for line in module.read_text(encoding="utf-8").splitlines():
                if any(write in line for write in writes):
                    assert "part" in line or "Workbook(path)" in line, f"{module.name}: {line}"
