"""The READUS-PV table: answers from the run, and items left to the authors."""

import csv
import hashlib
import json
import re
from datetime import date
from pathlib import Path

import pytest

from schemas.alert import Alert, AlertKind, SignalGrade
from schemas.errors import InputError
from streams.core.signals.realert_policy import AlertPolicy, load_policy
from streams.exports.case_counts import CaseCounts
from streams.exports.readus import FOR_THE_AUTHORS, ReadusInput, ReadusItem, readus_items
from streams.exports.readus import write_readus as write
from tests.support.alerts import signal

GOLDEN = Path(__file__).parents[2] / "replay" / "golden"
REPORTS = GOLDEN / "reports.jsonl"


@pytest.fixture(scope="module")
def alerts() -> list[Alert]:
    lines = (GOLDEN / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
    policy = load_policy().policy_hash
    return [
        Alert.model_validate_json(
            json.dumps({**json.loads(line), "code_version": "9.9", "policy_hash": policy})
        )
        for line in lines
    ]


@pytest.fixture(scope="module")
def items(alerts: list[Alert]) -> list[ReadusItem]:
    counts = CaseCounts([REPORTS], until=None, horizon=date(2030, 1, 1))
    return readus_items(ReadusInput(alerts, load_policy(), (REPORTS,), counts))


def _answers(items: list[ReadusItem]) -> str:
    return "\n".join(item.answer for item in items if item.answer)


def test_the_methods_are_those_of_the_alerts(items: list[ReadusItem], alerts: list[Alert]) -> None:
    said = _answers(items)
    for rule in alerts[-1].rules:
        assert rule.sentence in said
        assert rule.exit_sentence in said
    for word in (alerts[-1].rules_hash, alerts[-1].policy_hash, "Tocsin 9.9", "more_cases = 3"):
        assert word in said
    days = sorted(str(alert.evaluated_on) for alert in alerts)
    assert f"Alerts on {len(set(days))} days from {days[0]} to {days[-1]}" in said
    assert "No rule in force corrects for repeated looks" in said


def test_rules_and_signals_have_their_grades(alerts: list[Alert]) -> None:
    policy = load_policy()
    wider = alerts[-1].rules[-1].model_copy(update={"grade": SignalGrade.SCREENING})
    rules = (*alerts[-1].rules[:-1], wider)
    known = {"rules": rules, "policy_hash": policy.policy_hash}
    on = [signal(drug="a"), signal(drug="b", grade=SignalGrade.SCREENING), signal(drug="c")]
    off = [
        signal(drug=drug, grade=grade).model_copy(update={"rules_fired": ()})
        for drug, grade in zip("de", SignalGrade, strict=True)
    ]
    given = [alert.model_copy(update=known) for alert in (*on, *off)]
    said = _answers(readus_items(ReadusInput(given, policy, (), None)))
    assert "5 pairs were a signal at some time, 3 are at the end, 2 of them alarms;" in said
    assert [said.count(f"{rule.name} ({rule.grade}): {rule.sentence}") for rule in rules] == [1] * 3


def test_a_signal_is_retracted_though_a_correction_followed(alerts: list[Alert]) -> None:
    last = next(alert for alert in alerts if alert.rules_fired)
    off = {"rules_fired": (), "revision": last.revision + 1}
    retracted = last.model_copy(update=off | {"kind": AlertKind.RETRACTION})
    corrected = last.model_copy(update=off | {"kind": AlertKind.UPDATE})
    closed = last.model_copy(update=off | {"kind": AlertKind.CLOSED})
    for history, number in (
        ([], 0),
        ([retracted], 1),
        ([retracted, corrected], 1),
        ([closed, corrected], 0),
        ([retracted, last], 0),
        ([retracted, last, closed], 0),
    ):
        items = readus_items(ReadusInput([last, *history], load_policy()))
        (found,) = [item.answer for item in items if item.asked == "findings with their precision"]
        assert f"{number} were retracted" in found


def test_the_data_are_those_of_the_files(items: list[ReadusItem]) -> None:
    said = _answers(items)
    messages = [json.loads(line) for line in REPORTS.read_text().splitlines()]
    assert f"reports.jsonl (SHA-256 {hashlib.sha256(REPORTS.read_bytes()).hexdigest()})" in said
    assert f"{len(messages)} reports were read, 0 could not be" in said
    # By hand: G-9 is a duplicate of G-8, G-11 is contested; G-12 the last of twelve cases.
    assert "cases left out, by reason: duplicate: 1; unverified: 1." in said
    assert "10 cases." in said


def test_items_without_an_answer_are_for_the_authors(items: list[ReadusItem]) -> None:
    open_items = {item.number for item in items if not item.answered}
    assert {"1a", "1b", "2a", "2b", "2c", "3", "abstract 2e", "abstract 4a-4c"} <= open_items
    answered = {item.number for item in items if item.answered}
    assert {"4a, abstract 2a", "4b", "5a, abstract 2b", "6a", "abstract 2d"} <= answered
    # Numbered items are in the order of the checklist.
    numbers = [item.number[:2] for item in items if re.match(r"\d[a-c]", item.number)]
    assert numbers == sorted(numbers)


def test_dictionaries_are_named_if_reports_name_them(
    alerts: list[Alert], items: list[ReadusItem]
) -> None:
    versions = [("MedDRA 9.1", "WHO-ART"), (), ("MedDRA 27.0",)]
    coded = [
        alert.model_copy(update={"dictionary_versions": named})
        for alert, named in zip(alerts[:3], versions, strict=True)
    ]
    counts = CaseCounts([REPORTS], until=None, horizon=date(2030, 1, 1))
    found = readus_items(ReadusInput(coded, load_policy(), (REPORTS,), counts))
    (item,) = [one for one in found if one.number.startswith("5a")]
    assert item.answer is not None
    assert "Reports of the signals' cases name MedDRA 27.0, MedDRA 9.1, WHO-ART." in item.answer
    assert "dictionaries" not in item.hint
    (item,) = [one for one in items if one.number.startswith("5a")]
    assert "dictionaries and their versions" in item.hint


def test_without_the_files_the_database_is_for_the_authors(alerts: list[Alert]) -> None:
    found = readus_items(ReadusInput(alerts, load_policy()))
    assert [item.answered for item in found if item.number.startswith("5a")] == [False]


def test_another_policy_and_no_alerts_are_refused(alerts: list[Alert]) -> None:
    other = AlertPolicy(**{**load_policy().model_dump(), "more_cases": 4})
    with pytest.raises(InputError, match="must be the policy that the alerts were made under"):
        readus_items(ReadusInput(alerts, other))
    with pytest.raises(InputError, match="must hold signals"):
        readus_items(ReadusInput([], load_policy()))


def test_markdown_and_csv_have_one_row_per_item(items: list[ReadusItem], tmp_path: Path) -> None:
    hostile = ReadusItem("9", "S", "a | b\nc", "=1+1 <script>")
    markdown, table = tmp_path / "out.md", tmp_path / "out.csv"
    for path in (markdown, table):
        write(path, [*items, hostile])
    lines = [line for line in markdown.read_text().splitlines() if line.startswith("|")]
    assert len(lines) == len(items) + 3
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {6}
    assert lines[-1] == r"| 9 | S | a \| b c | =1+1 &lt;script> |  |"
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == len(items) + 2
    assert rows[-1][3] == "'=1+1 <script>"
    assert [row[3] for row in rows].count(FOR_THE_AUTHORS) == sum(not i.answered for i in items)
    with pytest.raises(InputError, match=r"must end with \.md or \.csv"):
        write(tmp_path / "out.pdf", items)
