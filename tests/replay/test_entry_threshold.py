"""The alarm's entry threshold over years: a recount of every alert gives it to the last bit.

Follow-ups, nullifications, links and lots are those of `varied_stream`, a day of it being the fifth
part of a year, so that cases lie on the days at which a year ends.
"""

import json
import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from schemas.alert import Alert
from tests.support.alert_recount import varied_stream
from tests.support.cli import Ended, tocsin

ANY = """[any]
title = "Any pair that is tested"
source = "tests"
all = [{ statistic = "e_value_budgeted", op = ">=", value = 0 }]
"""
RULES = ("--rules", "tocsin", "--screening", "any.toml")
FROM, TO, STEP = date(2024, 1, 1), date(2016, 1, 1), 73


def _later(match: re.Match[str]) -> str:
    days = (date.fromisoformat(match[0]) - FROM).days
    return str(TO + timedelta(days=days * STEP))


def _stretched(value: bytes) -> str:
    """Return a message at its day of the long history, where each year has terms of its own."""
    text = re.sub(r"\b20\d\d-\d\d-\d\d\b", _later, value.decode())
    received = re.search(r'"first_received":"(\d+)', text)
    year = received[1] if received else ""
    text = re.sub(r'"event (1\d)"', rf'"event \1 of {year}"', text)
    # Of a class, with lots that are counted; and a term of a hazard family.
    of_class = '["exosomes"],"product_class":"extracellular-vesicles"'
    text = text.replace('["drug 3"],"product_class":null', of_class)
    return text.replace('"event 3"', '"Sepsis"')


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("years")
    messages = [_stretched(value) for _, value in varied_stream(500, seed=7)]
    (folder / "reports.jsonl").write_text("\n".join(messages))
    (folder / "any.toml").write_text(ANY)
    done = tocsin(
        *("replay", "reports.jsonl", "--every", "73d", "--alerts", "alerts.jsonl", *RULES),
        folder=folder,
    )
    assert done.code == 0, done.err
    return folder


def _alerts(folder: Path) -> list[Alert]:
    lines = (folder / "alerts.jsonl").read_text().splitlines()
    return [Alert.model_validate_json(line) for line in lines]


def _recount(folder: Path, alerts: str, *rules: str) -> Ended:
    asked = ("recount", "--source", "reports.jsonl", "--alerts", alerts, "--json")
    return tocsin(*asked, *(rules or RULES), folder=folder)


def test_every_alert_recounts_to_the_last_bit(replayed: Path) -> None:
    done = _recount(replayed, "alerts.jsonl")
    assert done.code == 0, done.out
    results = [json.loads(line) for line in done.out.splitlines()]
    assert all(result["equal"] and result["rules_known"] for result in results)
    assert len(results) == len(_alerts(replayed)) > 200
    thresholds: dict[date, float] = {}
    for alert in _alerts(replayed):
        within, scaled = alert.statistics.e_value_blocked, alert.statistics.e_value_budgeted
        if scaled is not None:
            assert within is not None
            thresholds[alert.evaluated_on] = round(8 * within / scaled, 9)
    start = [value for day, value in thresholds.items() if (day - TO).days < 730]
    later = [value for day, value in thresholds.items() if (day - TO).days >= 730]
    assert set(start) == {12}
    assert len(set(later)) > 10
    levels = {alert.level.value for alert in _alerts(replayed) if alert.level}
    assert levels >= {"product", "class"}, levels


def test_a_threshold_that_was_changed_is_found(replayed: Path) -> None:
    alert = json.loads((replayed / "alerts.jsonl").read_text().splitlines()[-1])
    alert["statistics"]["e_value_budgeted"] *= 1 + 2**-52
    (replayed / "changed.jsonl").write_text(json.dumps(alert))
    done = _recount(replayed, "changed.jsonl")
    assert done.code == 1
    assert "e_value_budgeted" in done.out


def test_an_alert_from_before_the_threshold_is_compared_in_the_rest(replayed: Path) -> None:
    alert = json.loads((replayed / "alerts.jsonl").read_text().splitlines()[-1])
    assert alert["statistics"].pop("e_value_budgeted") is not None
    del alert["headline"]  # so its texts are not compared either
    (replayed / "old.jsonl").write_text(json.dumps(alert))
    assert _recount(replayed, "old.jsonl", "--rules", "safe", "--screening", "none").code == 0
    assert _recount(replayed, "old.jsonl").code == 1  # its rules ask for the field
