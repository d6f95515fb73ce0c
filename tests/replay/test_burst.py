"""500 consumer reports of one source in one day: an alert that says so, and no validated signal."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from schemas.report import Reporter
from schemas.vocabulary import Qualification, ReporterKind
from tests.support.cli import Ended, tocsin
from tests.support.reports import make_report

KEY = "zinc|rash|cumulative"
RULES = ("--rules", "mhra,ema,ic", "--screening", "none")


def _report(case: str, day: date, drug: str, event: str, **fields: Any) -> bytes:
    report = make_report(case, day=day, drugs=[drug], events=[event], **fields)
    return report.model_dump_json().encode()


def _background() -> list[bytes]:
    """10,000 reports of many senders in which nothing stands out; zinc with rash in 3 of them."""
    lines = []
    for i in range(10_000):
        drug = "zinc" if i % 100 == 0 else f"drug {i % 37}"
        event = "Rash" if (i // 100) % 33 == 0 else f"event {i % 41}"
        day = date(2024, 1, 1 + i // 400)
        lines.append(
            _report(f"B{i}", day, drug, event, sender=f"PHARMA {i % 25}", occurrence_country="DE")
        )
    return lines


def _campaign(
    number: int,
    *,
    sender: str | None = "RIVAL",
    spread: int = 1,
    by: Qualification = Qualification.CONSUMER,
) -> list[bytes]:
    reporter = Reporter(kind=ReporterKind.CONSUMER, qualification=by, country="US")
    return [
        _report(
            f"X{i}", date(2024, 2, 1 + i % spread), "zinc", "Rash", sender=sender, reporter=reporter
        )
        for i in range(number)
    ]


def _replay(folder: Path, lines: list[bytes], *options: str) -> list[dict[str, Any]]:
    ordered = sorted(lines, key=lambda line: json.loads(line)["latest_received"])
    (folder / "reports.jsonl").write_bytes(b"\n".join(ordered))
    written = ("reports.jsonl", "--alerts", "alerts.jsonl")
    done = tocsin("replay", *written, *RULES, *options, folder=folder)
    assert done.code == 0, done.err
    alerts = [json.loads(line) for line in (folder / "alerts.jsonl").read_text().splitlines()]
    return [alert for alert in alerts if alert["signal_key"] == KEY]


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("attacked")
    (alert,) = _replay(folder, _background() + _campaign(500))
    return folder, alert


def test_the_alert_says_that_one_source_made_it(attacked: tuple[Path, dict[str, Any]]) -> None:
    _, alert = attacked
    counts = alert["counts"]
    background = [json.loads(line) for line in _background()]
    of_drug = [each for each in background if each["products"][0]["substances"] == ["zinc"]]
    of_event = [each for each in background if each["reactions"][0]["term"] == "Rash"]
    both = [each for each in of_drug if each in of_event]
    without = {
        "n_observed": len(both),
        "n_drug": len(of_drug),
        "n_event": len(of_event),
        "n_total": 10_000,
    }
    assert len(both) == 4
    assert counts == {name: n + 500 for name, n in without.items()}
    assert alert["burst"] == {
        "source": "RIVAL",
        "sender_stated": True,
        "received": "2024-02-01",
        "n_cases": 500,
        "n_by_professional": 0,
        "counts_without": without,
        "rules_without": [],
        "rules_not_asked": [],
    }
    assert alert["rules_fired"] == ["ema", "ic", "mhra"]
    assert alert["sentence"].endswith(
        " 500 of the 504 cases were received on 2024-02-01 from one sender; without them no rule "
        "is met."
    )
    assert (alert["n_by_professional"], alert["countries"]) == (0, ["DE", "US"])
    assert alert["n_sources"] == 1 + len({each["sender"] for each in both})


def _decide(folder: Path, to: str, *options: str) -> Ended:
    logged = ("--by", "a.assessor", "--log", "audit.jsonl", "--alerts", "alerts.jsonl")
    return tocsin("signals", "decide", KEY, to, *logged, *options, folder=folder)


def test_nobody_confirms_it_by_accident(attacked: tuple[Path, dict[str, Any]]) -> None:
    folder, alert = attacked
    assert _decide(folder, "under_triage").code == 0
    without = _decide(folder, "validated")
    assert (without.code, "must have a reason" in without.err) == (2, True)
    refused = _decide(folder, "validated", "--reason", "many cases")
    assert refused.code == 2
    assert "must have a reason that says why the burst is no objection" in refused.err
    assert "500 cases came from one source or system on one day" in refused.err
    other = _decide(folder, "validated", "--alert", "of another signal")
    assert other.code == 2
    assert "must hold an alert of zinc|rash|cumulative with the id of another" in other.err
    done = _decide(folder, "validated", "--reason", "the burst: one clinic, cases seen")
    assert done.code == 0, done.err
    entry = json.loads((folder / "audit.jsonl").read_text().splitlines()[-1])
    assert entry["decision"]["n_burst"] == 500
    assert entry["decision"]["alert_id"] == alert["alert_id"]
    assert tocsin("audit", "verify", "audit.jsonl", folder=folder).code == 0


def test_a_recount_finds_the_same_burst(attacked: tuple[Path, dict[str, Any]]) -> None:
    folder, alert = attacked
    arguments = ("recount", "--alerts", "alerts.jsonl", "--source", "reports.jsonl", *RULES)
    assert tocsin(*arguments, alert["alert_id"], folder=folder).code == 0
    for name, value in (
        ("n_cases", 499),
        ("source", "PHARMA 1"),
        ("n_by_professional", 1),
        ("rules_without", ["mhra"]),
        ("received", "2024-02-02"),
        ("sender_stated", False),
    ):
        wrong = {**alert, "burst": {**alert["burst"], name: value}}
        (folder / "wrong.jsonl").write_text(json.dumps(wrong))
        told = tocsin("recount", "--alerts", "wrong.jsonl", *arguments[3:], "--json", folder=folder)
        assert told.code == 1
        assert f"burst.{name}" in told.out
    (folder / "wrong.jsonl").write_text(json.dumps({**alert, "burst": None}))
    assert tocsin("recount", "--alerts", "wrong.jsonl", *arguments[3:], folder=folder).code == 1


def test_a_recount_tells_a_system_from_a_sender(tmp_path: Path) -> None:
    alert = _replay(tmp_path, _background() + _campaign(500, sender=None), "--every", "99999d")[-1]
    assert (alert["burst"]["source"], alert["burst"]["sender_stated"]) == ("native", False)
    assert alert["sentence"].endswith(
        " 500 of the 504 cases were received on 2024-02-01 in a database that does not name "
        "senders; without them no rule is met."
    )
    arguments = ("--source", "reports.jsonl", *RULES, "--json")
    assert tocsin("recount", "--alerts", "alerts.jsonl", *arguments, folder=tmp_path).code == 0
    wrong = {**alert, "burst": {**alert["burst"], "sender_stated": True}}
    (tmp_path / "wrong.jsonl").write_text(json.dumps(wrong))
    told = tocsin("recount", "--alerts", "wrong.jsonl", *arguments, folder=tmp_path)
    assert told.code == 1
    assert "burst.sender_stated" in told.out


@pytest.mark.parametrize(
    ("campaign", "n_cases", "without"),
    [
        (_campaign(500, by=Qualification.PHYSICIAN), 500, []),  # what it says of itself
        (_campaign(500, spread=2), None, None),  # 250 a day are less than half of 504
        (_campaign(500, sender=None), 500, []),
        (_campaign(9), None, None),  # too few
        (_campaign(10), 10, []),
        # A signal of its own beside the burst: it stands without it.
        (
            _campaign(100) + [line.replace(b'"X', b'"Y') for line in _campaign(90, sender="OTHER")],
            100,
            ["ema", "ic", "mhra"],
        ),
    ],
    ids=["physicians", "two days", "no sender", "nine", "ten", "others as well"],
)
def test_what_is_a_burst(
    tmp_path: Path, campaign: list[bytes], n_cases: int | None, without: list[str] | None
) -> None:
    alert = _replay(tmp_path, _background() + campaign, "--every", "99999d")[-1]
    burst = alert["burst"]
    assert (burst and burst["n_cases"], burst and burst["rules_without"]) == (n_cases, without)
    if without:
        said = "without them these rules are met: MHRA, EMA, IC025."
        assert alert["sentence"].endswith(said)
    named = burst is not None and burst["sender_stated"]
    assert named is (burst is not None and campaign[0].find(b'"sender":null') < 0)
    assert (" from one sender" in alert["sentence"]) is named
    assert ("a database that does not name senders" in alert["sentence"]) is (
        burst is not None and not named
    )
