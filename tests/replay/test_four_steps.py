"""A signal whose cases come, are taken back and come back, replayed from files step by step."""

import json

import pytest

from schemas.alert import Alert
from tests.support.cli import tocsin
from tests.support.four_steps import EXPECTED, KEY, STEPS, four_steps

RULES = ("--rules", "mhra", "--screening", "none")
WINDOWS = ("--window", "cumulative", "--window", "sliding:20")


@pytest.fixture(scope="module", params=range(1, STEPS + 1))
def step(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, list[Alert]]:
    """The number of a step, and the alerts of the reports up to its end, recounted."""
    folder = tmp_path_factory.mktemp("step")
    reports = [report for part in four_steps()[: request.param] for report in part]
    lines = [report.model_dump_json(exclude_defaults=True) for report in reports]
    (folder / "reports.jsonl").write_text("\n".join(lines))
    written = ("replay", "reports.jsonl", "--alerts", "alerts.jsonl", *RULES, *WINDOWS)
    assert tocsin(*written, folder=folder).code == 0
    checked = ("recount", "--alerts", "alerts.jsonl", "--source", "reports.jsonl", *RULES, "--json")
    done = tocsin(*checked, folder=folder)
    assert done.code == 0, done.out
    results = [json.loads(line) for line in done.out.splitlines()]
    alerts = list(
        map(Alert.model_validate_json, (folder / "alerts.jsonl").read_bytes().splitlines())
    )
    assert [one["equal"] for one in results] == [True] * len(alerts)
    return request.param, alerts


def test_each_step_revises_the_signal_and_the_last_revision_names_the_cases_left(
    step: tuple[int, list[Alert]],
) -> None:
    number, alerts = step
    found = [alert for alert in alerts if alert.signal_key == KEY]
    said = [
        (alert.kind.value, tuple(reason.value for reason in alert.reasons), alert.case_ids)
        for alert in found
    ]
    assert said == list(EXPECTED[:number])
    assert [alert.revision for alert in found] == list(range(1, number + 1))
    nullified = [0, 2, 4, 0][number - 1]
    assert (found[-1].counts.n_observed, found[-1].n_removed_nullified) == (
        4 - nullified,
        nullified,
    )


def test_a_case_taken_back_after_it_left_a_moving_window_is_named_no_more(
    step: tuple[int, list[Alert]],
) -> None:
    """The window of 20 days holds none of the cases any more when the last two are nullified."""
    key = KEY.replace("cumulative", "sliding-20d")
    number, alerts = step
    found = [alert for alert in alerts if alert.signal_key == key]
    named = [("new", 4), ("retraction", 2), ("update", 0)]
    assert [(alert.kind.value, len(alert.case_ids)) for alert in found] == named[:number]
