"""Alerts of a replay are recomputed from their input, and a changed one is found."""

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.alert import Alert
from streams.core.recount.clinical import CLINICAL, REMOVED
from streams.core.recount.evidence import EVIDENCE
from tests.support.alert_recount import PRIOR, require_recounted, varied_stream
from tests.support.cli import Ended, tocsin

RULES = ("--rules", "safe,mhra_eb,strata.toml", "--screening", "mhra,ema,ic")
STRATA = """[strata]
title = "EBGM within strata"
source = "tests"
all = [{ statistic = "eb05_adjusted", op = ">=", value = 1.2, exit = 1.1 }]
"""
ADJUSTED_PRIOR = PRIOR.model_copy(update={"alpha1": 2.5, "beta2": 1.5})
PRIORS = ("--prior", "prior.json", "--prior-adjusted", "adjusted.json")
WINDOWS = ("--window", "cumulative", "--window", "sliding:14", "--window", "month")
UNTIL = "2024-02-05"  # what was received later stands in the log, and is not counted


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    reports = [value for _, value in varied_stream(1_000, seed=21)]
    broken = [b"{broken" if i % 90 == 0 else b"" for i in range(len(reports))]
    return [line for pair in zip(broken, reports, strict=True) for line in pair if line]


@pytest.fixture(scope="module")
def replayed(lines: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replayed")
    middle = len(lines) // 2
    (folder / "one.jsonl").write_bytes(b"\n".join(lines[:middle]))
    (folder / "two.jsonl").write_bytes(b"\n".join(lines[middle:]))
    (folder / "prior.json").write_text(PRIOR.model_dump_json())
    (folder / "adjusted.json").write_text(ADJUSTED_PRIOR.model_dump_json())
    (folder / "strata.toml").write_text(STRATA)
    done = tocsin(
        *("replay", "one.jsonl", "two.jsonl", "--alerts", "alerts.jsonl"),
        *(*PRIORS, "--until", UNTIL, *RULES, *WINDOWS),
        folder=folder,
    )
    assert done.code == 0, done.err
    return folder


def recount(folder: Path, *arguments: object) -> Ended:
    return tocsin(
        *("recount", "--source", "one.jsonl", "--source", "two.jsonl"),
        *(*PRIORS, *RULES, *arguments),
        folder=folder,
    )


def test_a_hundred_alerts_of_a_replay_recount_to_the_last_bit(
    replayed: Path, lines: list[bytes]
) -> None:
    done = recount(replayed, "--alerts", "alerts.jsonl", "--sample", 100, "--json")
    assert done.code == 0, done.out
    results = [json.loads(line) for line in done.out.splitlines()]
    assert [result["equal"] for result in results] == [True] * 100
    # So many of every alert, and of a burst or a restricted table each field.
    compared = {result["compared"] for result in results}
    assert min(compared) == 89, compared
    assert all(result["rules_known"] for result in results)
    text = (replayed / "alerts.jsonl").read_text().splitlines()
    published = {alert.alert_id: alert for alert in map(Alert.model_validate_json, text)}
    chosen = [published[result["alert_id"]] for result in results]
    assert len({alert.alert_id for alert in chosen}) == 100
    graded = Counter((alert.grade.value, bool(alert.rules_fired)) for alert in chosen)
    assert all(graded[grade, True] > 10 for grade in ("alarm", "screening")), graded
    assert graded["screening", False] > 0, graded
    middle = [alert for alert in chosen if alert.as_of[0].next_offset < len(lines) // 2]
    assert 20 < len(middle) < 80
    assert {alert.window.kind.value for alert in chosen} == {"cumulative", "sliding", "month"}
    assert sum(alert.statistics.e_value is not None for alert in chosen) > 20
    assert all(alert.statistics.ebgm is not None for alert in chosen)
    assert {alert.prior_id_adjusted for alert in chosen} == {ADJUSTED_PRIOR.prior_id}
    assert all(alert.statistics.eb05_adjusted is not None for alert in chosen)
    assert sum("strata" in alert.rules_fired for alert in chosen) > 10
    assert any(alert.unbounded for alert in chosen)
    assert sum(alert.restricted is not None for alert in chosen) > 5
    assert sum(bool(alert.n_suspected_duplicates) for alert in chosen) > 10
    assert sum(bool(alert.n_removed_nullified) for alert in chosen) > 10
    assert sum(bool(alert.n_removed_duplicates) for alert in chosen) > 10
    assert {len(alert.dictionary_versions or ()) for alert in chosen} >= {1, 2, 3}
    assert sum(bool(alert.n_late) for alert in chosen) > 10
    timed = [alert.time_to_onset for alert in chosen if alert.time_to_onset is not None]
    assert sum(one.n > 1 and one.n_before > 0 for one in timed) > 10
    for alert in chosen:
        before = lines[: alert.as_of[0].next_offset]
        known = [raw for raw in before if b"{broken" in raw or _received(raw) <= UNTIL]
        require_recounted(alert, known)


def _received(raw: bytes) -> str:
    content = json.loads(raw)
    received: str = content.get("latest_received") or content["decided_on"]
    return received


def test_an_alert_from_before_it_told_who_reported_is_compared_in_the_rest(replayed: Path) -> None:
    alert = json.loads((replayed / "alerts.jsonl").read_text().splitlines()[-1])
    for name in ("headline", "unbounded", *EVIDENCE, *CLINICAL, *REMOVED):
        del alert[name]
    (replayed / "old.jsonl").write_text(json.dumps(alert))
    done = recount(replayed, "--alerts", "old.jsonl", "--json")
    assert done.code == 0, done.out
    assert json.loads(done.out)["compared"] == 57


def test_the_same_seed_chooses_the_same_alerts_whatever_order_they_are_in(replayed: Path) -> None:
    text = (replayed / "alerts.jsonl").read_text().splitlines()
    (replayed / "turned.jsonl").write_text("\n".join(reversed(text)))
    chosen = [
        [
            json.loads(line)["alert_id"]
            for line in recount(
                replayed, "--alerts", file, "--sample", 5, "--seed", seed, "--json"
            ).out.splitlines()
        ]
        for file, seed in (("alerts.jsonl", 3), ("turned.jsonl", 3), ("alerts.jsonl", 4))
    ]
    assert len(chosen[0]) == 5
    assert sorted(chosen[0]) == sorted(chosen[1])
    assert set(chosen[0]) != set(chosen[2])


def _next_float(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(alert: dict[str, Any]) -> None:
        *to, last = path
        for name in to:
            alert = alert[name]
        alert[last] = math.nextafter(alert[last], math.inf)

    return change


def _earlier(alert: dict[str, Any]) -> None:
    alert["as_of"][0]["next_offset"] -= 40


def _one_more(alert: dict[str, Any]) -> None:
    alert["counts"]["n_event"] += 1


def _fewer_cases(alert: dict[str, Any]) -> None:
    del alert["case_ids"][0]


def _others_unbounded(alert: dict[str, Any]) -> None:
    alert["unbounded"] = ["ror"] if alert["unbounded"] == [] else []


def _no_rule(alert: dict[str, Any]) -> None:
    alert["rules_fired"] = alert["rules_fired"][1:]


def _other_grade(alert: dict[str, Any]) -> None:
    alert["grade"] = "screening" if alert["grade"] == "alarm" else "alarm"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_one_more, "counts.n_event"),
        (_next_float("statistics", "ror_lower"), "statistics.ror_lower"),
        (_next_float("statistics", "eb05"), "statistics.eb05"),
        (_next_float("statistics", "ebgm_adjusted"), "statistics.ebgm_adjusted"),
        (_next_float("statistics", "eb05_adjusted"), "statistics.eb05_adjusted"),
        (_next_float("statistics", "eb95_adjusted"), "statistics.eb95_adjusted"),
        (_next_float("statistics", "e_value"), "statistics.e_value"),
        (_next_float("statistics", "expected_stratified"), "statistics.expected_stratified"),
        (_earlier, "counts.n_total"),
        (_fewer_cases, "case_ids"),
        (_no_rule, "rules_fired"),
        (_others_unbounded, "unbounded"),
        (_other_grade, "grade"),
    ],
)
def test_an_alert_that_was_changed_is_found_out(
    replayed: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], named: str
) -> None:
    lines = (replayed / "alerts.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    alert = next(
        one
        for one in reversed(told)
        if one["window"]["kind"] == "cumulative" and one["rules_fired"] and one["case_ids"]
    )
    change(alert)
    (tmp_path / "changed.jsonl").write_text(json.dumps(alert))
    done = recount(replayed, "--alerts", tmp_path / "changed.jsonl", "--json")
    assert done.code == 1, done.err
    (result,) = map(json.loads, done.out.splitlines())
    assert not result["equal"]
    assert named in result["differences"]
    if change is not _earlier:
        assert list(result["differences"]) == [named]
    table = recount(replayed, "--alerts", tmp_path / "changed.jsonl")
    assert table.code == 1
    assert f"{named}: published " in table.out
    assert "0 equal to the last bit, 1 differ" in table.out


def test_a_source_that_was_changed_is_found_out(replayed: Path, tmp_path: Path) -> None:
    alerts = (replayed / "alerts.jsonl").read_text().splitlines()
    alert = next(line for line in reversed(alerts) if "|cumulative" in line)
    (tmp_path / "alerts.jsonl").write_text(alert)
    lines = (replayed / "one.jsonl").read_bytes().split(b"\n")
    (tmp_path / "one.jsonl").write_bytes(b"\n".join(lines[:200] + lines[:300] + lines[500:]))
    done = tocsin(
        *("recount", "--alerts", tmp_path / "alerts.jsonl", "--source", tmp_path / "one.jsonl"),
        *("--source", "two.jsonl", *PRIORS, *RULES),
        folder=replayed,
    )
    assert done.code == 1
    assert "counts.n_total: published" in done.out


@pytest.mark.parametrize("given", ["one.jsonl", "two.jsonl"])
def test_a_source_that_is_missing_is_said_with_the_offsets(
    replayed: Path, lines: list[bytes], given: str
) -> None:
    done = tocsin("recount", "--alerts", "alerts.jsonl", "--source", given, folder=replayed)
    assert (done.code, done.out) == (2, "")
    number = {"one.jsonl": len(lines) // 2, "two.jsonl": len(lines) - len(lines) // 2}[given]
    text = (replayed / "alerts.jsonl").read_text().splitlines()
    alerts = list(map(Alert.model_validate_json, text))
    ends = [alert.as_of[0].next_offset for alert in alerts]
    beyond = sum(end > number for end in ends)
    assert 0 < beyond < len(ends)
    assert (
        f"got {given} from 0 to {number - 1:,}. Messages {number:,} to {max(ends) - 1:,} are "
        f"missing, which {beyond:,} of {len(ends):,} alerts need\n"
    ) in done.err


def test_the_end_of_a_source_that_no_alert_needs_may_be_missing(
    replayed: Path, lines: list[bytes], tmp_path: Path
) -> None:
    text = (replayed / "alerts.jsonl").read_text().splitlines()
    alerts = list(map(Alert.model_validate_json, text))
    first = min(alerts, key=lambda alert: alert.as_of[0].next_offset)
    (tmp_path / "first.jsonl").write_text(first.model_dump_json())
    for spare, code in ((0, 0), (-1, 2)):
        end = first.as_of[0].next_offset + spare
        (tmp_path / "begin.jsonl").write_bytes(b"\n".join(lines[:end]))
        done = tocsin(
            *("recount", "--alerts", tmp_path / "first.jsonl", *PRIORS, *RULES),
            *("--source", tmp_path / "begin.jsonl"),
            folder=replayed,
        )
        assert done.code == code, done.out + done.err


def test_rules_that_are_not_those_of_the_alert_are_not_asked(replayed: Path) -> None:
    done = recount(replayed, "--alerts", "alerts.jsonl", "--sample", 3, "--rules", "mhra")
    assert done.code == 0
    assert "3 equal to the last bit" in done.out
    assert "For 3 alerts the firing of rules was not compared" in done.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("recount",), "must be named by id, by --sample or by --alerts"),
        (("recount", "x", "--source", "one.jsonl"), "--source needs --alerts"),
        (("recount", "--alerts", "one.jsonl", "--source", "one.jsonl"), "line 1 must be an alert"),
        (
            ("recount", "nobody", "--alerts", "alerts.jsonl", "--source", "one.jsonl"),
            "got no alert nobody",
        ),
        (
            (
                *("recount", "--alerts", "alerts.jsonl", "--sample", "1"),
                *("--source", "one.jsonl", "--source", "two.jsonl"),
            ),
            "the prior of every alert must be known",
        ),
        (
            (
                *("recount", "--alerts", "alerts.jsonl", "--sample", "1", "--prior", "prior.json"),
                *("--source", "one.jsonl", "--source", "two.jsonl"),
            ),
            f"the prior of every alert must be known; got {ADJUSTED_PRIOR.prior_id}",
        ),
        (
            ("recount", "--sample", "1", "--priors", "one.jsonl"),
            "--priors one.jsonl: line 1 must be a prior's refit",
        ),
    ],
)
def test_what_cannot_be_recounted_is_said_in_one_line(
    replayed: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    done = tocsin(*arguments, folder=replayed)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert complaint in done.err
