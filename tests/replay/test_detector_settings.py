"""Rules and windows of `tocsin.toml` hold in every command that detects or recomputes."""

import json
from pathlib import Path

import pytest

from tests.support.cli import tocsin
from tests.support.four_steps import four_steps

FILE = """[detector]
rules = ["mhra"]
screening = "none"
windows = ["cumulative", "month"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [one.model_dump_json(exclude_defaults=True) for part in four_steps() for one in part]
    (tmp_path / "reports.jsonl").write_text("\n".join(lines))
    (tmp_path / "tocsin.toml").write_text(FILE)
    return tmp_path


def replayed(folder: Path, *options: str) -> tuple[set[str], set[str]]:
    """Return the names of the rules and the kinds of windows of the alerts of a replay."""
    done = tocsin("replay", "reports.jsonl", "--alerts", "alerts.jsonl", *options, folder=folder)
    assert done.code == 0, done.err
    alerts = [json.loads(line) for line in (folder / "alerts.jsonl").read_text().splitlines()]
    rules = {rule["name"] for alert in alerts for rule in alert["rules"]}
    return rules, {alert["window"]["kind"] for alert in alerts}


def test_the_file_holds_and_flags_override_it(folder: Path) -> None:
    assert replayed(folder) == ({"mhra"}, {"cumulative", "month"})
    recount = ("recount", "--alerts", "alerts.jsonl", "--source", "reports.jsonl", "--json")
    results = tocsin(*recount, folder=folder).out.splitlines()
    assert all(json.loads(line)["rules_known"] for line in results)
    other = tocsin(*recount, "--rules", "ic", folder=folder).out.splitlines()
    assert not any(json.loads(line)["rules_known"] for line in other)
    assert replayed(folder, "--rules", "mhra,ic", "--window", "cumulative") == (
        {"mhra", "ic"},
        {"cumulative"},
    )
    compared = tocsin("backtest", "reports.jsonl", "--against", "mhra,ic", folder=folder)
    assert compared.code == 0, compared.err
    assert "--rules mhra" in " ".join(compared.out.split())


def test_a_misspelt_setting_stops_a_replay(folder: Path) -> None:
    (folder / "tocsin.toml").write_text("[detector]\nruls = 'ic'\n")
    done = tocsin("replay", "reports.jsonl", folder=folder)
    assert done.code == 2
    assert "detector.ruls in tocsin.toml must be a known setting" in done.err
