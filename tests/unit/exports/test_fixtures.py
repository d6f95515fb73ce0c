"""Fixtures are what a replay of them publishes, the same bytes each time, with every kind."""

import json
from pathlib import Path

import pytest
from cloudevents.v1.http import from_json

from schemas.subscription import Tier
from streams.delivery.alert_sources import read_alert_lines
from streams.delivery.tier_copies import dated_copies
from streams.exports.fixtures import FIXTURE_KEY, FIXTURE_RULES, write_fixtures
from tests.support.cli import tocsin

KINDS = {"new", "strengthened", "weakened", "update", "retraction", "closed"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fixtures")
    ended = tocsin("fixtures", "--scenario", "exosome", "-o", folder)
    assert ended.code == 0, ended.err
    written = sorted(str(path) for path in folder.rglob("*.jsonl"))
    assert sorted(ended.out.split()) == written
    assert len(written) == 13
    return folder


def test_the_same_version_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    for path in write_fixtures(tmp_path):
        same = folder / path.relative_to(tmp_path)
        assert path.read_bytes() == same.read_bytes(), path.name


@pytest.mark.parametrize("branch", ["confirmed", "refuted"])
def test_a_replay_of_the_reports_publishes_the_alerts(
    folder: Path, tmp_path: Path, branch: str
) -> None:
    sources = folder / "background.jsonl", folder / branch / "reports.jsonl"
    ended = tocsin(
        *("replay", *sources, "--notices", folder / branch / "notices.jsonl"),
        *("--rules", ",".join(FIXTURE_RULES), "--screening", "none"),
        *("--alerts", tmp_path / "alerts.jsonl"),
    )
    assert ended.code == 0, ended.err
    expected = (folder / branch / "alerts.jsonl").read_bytes()
    assert (tmp_path / "alerts.jsonl").read_bytes() == expected


@pytest.mark.parametrize("branch", ["confirmed", "refuted"])
def test_alerts_are_cloud_events_of_every_kind(folder: Path, branch: str) -> None:
    alerts = [alert for _, alert in read_alert_lines(folder / branch / "alerts.jsonl")]
    assert {alert.kind.value for alert in alerts} == KINDS
    lines = (folder / branch / "cloudevents.jsonl").read_text().splitlines()
    for line, alert in zip(lines, alerts, strict=True):
        event = from_json(line)
        assert event["id"] == alert.alert_id
        assert event["subject"] == alert.signal_key
        assert event["source"] == "/tocsin/pv.alerts"
        assert event["datacontenttype"] == "application/json"
        assert event.data == alert.model_dump(mode="json")


@pytest.mark.parametrize("tier", [Tier.PUBLIC, Tier.CONSUMER])
def test_copies_of_the_lower_tiers_are_those_that_are_delivered(folder: Path, tier: Tier) -> None:
    alerts = [alert for _, alert in read_alert_lines(folder / "refuted" / "alerts.jsonl")]
    lines = (folder / "refuted" / f"alerts.{tier}.jsonl").read_text().splitlines()
    expected = [copy for _, copy in dated_copies(tier, alerts, key=FIXTURE_KEY)]
    assert [json.loads(line) for line in lines] == json.loads(json.dumps(expected))
