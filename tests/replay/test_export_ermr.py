"""The eRMR-shaped table of a replay: every number of it counted anew here, from the messages."""

import csv
import json
import math
import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from dateutil.relativedelta import relativedelta
from openpyxl import load_workbook

from schemas.errors import InputError
from streams.exports.case_counts import reference_period
from tests.support.cli import tocsin

REGIONS = {"FR": "Europe", "US": "N America", "JP": "Japan", "KR": "Asia", "BR": "Rest"}
HCP = {"physician", "pharmacist", "other_health_professional"}
DRUGS = ["zinc", '=HYPERLINK("http://evil")', "培養上清"]
EVENTS = ["Rash", "+x", "Sepsis", "Death"]
FIRST, DAYS = date(2023, 11, 20), 140


def _messages(seed: int) -> list[dict[str, Any]]:
    """Return versions of 400 cases by day of receipt; every sixth is amended, some are voided."""
    chance = random.Random(seed)
    found = []
    for case in range(400):
        first = FIRST + timedelta(days=case * DAYS // 400)
        for version in range(1, chance.choice((2, 2, 2, 2, 2, 4))):
            drug = chance.choice(DRUGS)
            event = chance.choice(EVENTS) if chance.random() < 0.5 else EVENTS[DRUGS.index(drug)]
            further = chance.sample(EVENTS, chance.choice((0, 0, 0, 1, 2)))
            later = first + timedelta(days=chance.randrange(45) if version > 1 else 0)
            later = min(later, FIRST + timedelta(days=DAYS))
            message: dict[str, Any] = {
                "case_id": f"C{case}",
                "version": version,
                "first_received": str(first),
                "latest_received": str(later),
                "report_type": chance.choice(("spontaneous", "study")),
                "reporter": {
                    "kind": "physician",
                    "qualification": chance.choice((*sorted(HCP), "consumer", "lawyer")),
                },
                "occurrence_country": chance.choice(sorted(REGIONS)),
                "patient": {"age_years": chance.choice((0.5, 9, 17.9, 18, 40, 64, 65, 90))},
                "products": [
                    {"substances": [drug], "rechallenge": chance.choice((True, False, None))},
                    {"substances": ["water"], "role": "concomitant", "rechallenge": True},
                ],
                "reactions": [
                    {"term": event, "outcome": chance.choice(("fatal", "recovered", "unknown"))},
                    *(
                        {"term": term, "dictionary": "MedDRA", "dictionary_version": "=27.0"}
                        for term in further
                    ),
                ],
                "seriousness": chance.choice(([], [], ["hospitalisation"], ["death"])),
            }
            if version > 1 and chance.random() < 0.2:
                message["revision"] = {"kind": "nullification", "reason": "sent in error"}
            found.append(message)
    return sorted(found, key=lambda message: message["latest_received"])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    lines = [json.dumps(message, ensure_ascii=False) for message in _messages(9)]
    (folder / "reports.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    ended = tocsin("replay", folder / "reports.jsonl", "--alerts", folder / "alerts.jsonl",
                 "--rules", "mhra,ic", "--every", "7d")  # fmt: skip
    assert ended.code == 0, ended.err
    return folder


def _alerts(made: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (made / "alerts.jsonl").read_text("utf-8").splitlines()]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _text(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell


def _latest(until: str) -> Iterator[dict[str, Any]]:
    latest: dict[str, dict[str, Any]] = {}
    for message in _messages(9):
        held = latest.get(message["case_id"])
        if message["latest_received"] <= until and (
            held is None or message["version"] > held["version"]
        ):
            latest[message["case_id"]] = message
    yield from (message for message in latest.values() if "revision" not in message)


def _is(case: dict[str, Any]) -> dict[str, bool]:
    """Say what a case is, by the column it counts in."""
    fatal = "death" in case["seriousness"] or case["reactions"][0]["outcome"] == "fatal"
    age = case["patient"]["age_years"]
    return {
        "": True,
        "HCP": case["reporter"]["qualification"] in HCP,
        "Serious": fatal or bool(case["seriousness"]),
        "Fatal": fatal,
        "Positive rechallenge": case["products"][0]["rechallenge"] is True,
        "Paediatric": age < 18,
        "Geriatric": age >= 65,
        "Spontaneous": case["report_type"] == "spontaneous",
        **{title: code == case["occurrence_country"] for code, title in REGIONS.items()},
    }


def _terms(case: dict[str, Any]) -> set[str]:
    return {reaction["term"] for reaction in case["reactions"]}


def _ror_lower(cases: list[dict[str, Any]], drug: str, event: str) -> float | None:
    table = [[0, 0], [0, 0]]
    for case in cases:
        exposed = case["products"][0]["substances"] == [drug]
        table[exposed][event in _terms(case)] += 1
    (d, c), (b, a) = table
    if 0 in (a, b, c, d):
        return None
    spread = 1.959963984540054 * math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    return a * d / (b * c) * math.exp(-spread)


@pytest.mark.parametrize(("period", "until"), [("1m", None), ("3m", "2024-02-29"), ("15d", None)])
def test_every_number_is_the_recount_of_the_messages(
    period: str, until: str | None, made: Path, tmp_path: Path
) -> None:
    out = tmp_path / "ermr.csv"
    source = ("--source", made / "reports.jsonl", "--period", period)
    when = ("--until", until) if until else ()
    ended = tocsin("export", "ermr", made / "alerts.jsonl", "-o", out, *source, *when)
    assert ended.code == 0, ended.err
    end = until or max(message["latest_received"] for message in _messages(9))
    last = date.fromisoformat(end)
    back = {"15d": relativedelta(days=15), "1m": relativedelta(months=1)}
    start = last - back.get(period, relativedelta(months=3)) + timedelta(days=1)
    cases = list(_latest(end))
    told = [alert for alert in _alerts(made) if alert["evaluated_on"] <= end]
    rows = _rows(out)
    assert {(_text(row["Active substance"]), _text(row["Reaction PT"])) for row in rows} == {
        (alert["drug"], alert["event"]) for alert in told
    }
    seen_new = 0
    for row in rows:
        drug, event = _text(row["Active substance"]), _text(row["Reaction PT"])
        of_pair = [
            case
            for case in cases
            if case["products"][0]["substances"] == [drug] and event in _terms(case)
        ]
        for title in _is(cases[0]):
            total = [case for case in of_pair if _is(case)[title]]
            new = [case for case in total if str(start) <= case["first_received"] <= end]
            assert int(row[f"Tot {title}".strip()]) == len(total), (row, title)
            if title not in REGIONS.values():
                assert int(row[f"New {title}".strip()]) == len(new), (row, title)
                seen_new += len(new)
        for title in ("All", "Paediatric", "Geriatric", *REGIONS.values()):
            flag = "" if title == "All" else title
            lower = _ror_lower([case for case in cases if _is(case)[flag]], drug, event)
            if lower is not None:  # with an empty cell the conventions of the estimator hold
                assert float(row[f"ROR (-) {title}"]) == pytest.approx(lower, rel=1e-12)
        revisions = [alert for alert in told if (alert["drug"], alert["event"]) == (drug, event)]
        newest = revisions[-1]
        assert row["Grade"] == newest["grade"]
        assert row["SDR"] == (", ".join(newest["rules_fired"]) or "no")
        assert (row["Revision"], row["Last told"]) == (
            str(newest["revision"]), newest["evaluated_on"],
        )  # fmt: skip
        within = [alert for alert in revisions if alert["evaluated_on"] >= str(start)]
        assert row["Changes"].count(": ") == len(within)
    assert seen_new > 20
    assert "Disproportionate reporting is a reason to review the cases" in ended.out


def test_hostile_names_do_not_run_and_a_negative_ic_is_a_number(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "ermr.xlsx"
    ended = tocsin("export", "ermr", made / "alerts.jsonl", "-o", out, "--period", "12m",
                 "--source", made / "reports.jsonl")  # fmt: skip
    assert ended.code == 0, ended.err
    book = load_workbook(out)
    assert book.sheetnames == ["eRMR", "New cases", "About"]
    cells = [cell for page in book for row in page.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f" or cell.hyperlink]
    texts = {cell.value for cell in cells if isinstance(cell.value, str)}
    assert {'\'=HYPERLINK("http://evil")', "'+x"} <= texts
    about = dict(book["About"].iter_rows(values_only=True))
    assert about["Dictionaries"] == "of the signals' cases: MedDRA =27.0"
    heading, *rows = book["eRMR"].iter_rows(values_only=True)
    lower = [row[heading.index("IC025")] for row in rows]
    assert all(isinstance(value, float) for value in lower)
    assert min(lower) < 0
    # In twelve months every case is new: the list has each case of each pair once.
    listed = list(book["New cases"].iter_rows(min_row=2, values_only=True))
    assert len(listed) == len(set(listed)) == sum(row[heading.index("Tot")] for row in rows)


def test_without_the_reports_nothing_is_called_new(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "ermr.csv"
    ended = tocsin("export", "ermr", made / "alerts.jsonl", "-o", out)
    assert ended.code == 0, ended.err
    rows = _rows(out)
    assert not [name for name in rows[0] if name.startswith("New")]
    assert "Left out: New, HCP" in ended.out
    latest = {(alert["drug"], alert["event"]): alert for alert in _alerts(made)}
    assert len(rows) == len(latest)
    for row in rows:
        alert = latest[_text(row["Active substance"]), _text(row["Reaction PT"])]
        assert int(row["Tot"]) == alert["counts"]["n_observed"]
        assert int(row["Tot Fatal"]) == alert["n_fatal"]
        before = alert["previous"]["n_observed"] if alert["previous"] else ""
        assert row["Tot before"] == str(before)


def test_what_no_report_states_is_left_out_not_zero(made: Path, tmp_path: Path) -> None:
    silent = tmp_path / "silent.jsonl"
    with silent.open("w", encoding="utf-8") as out:
        for message in _messages(9):
            for name in ("reporter", "report_type", "occurrence_country", "patient"):
                del message[name]
            for product in message["products"]:
                product.pop("rechallenge")
            out.write(json.dumps(message) + "\n")
    out_file = tmp_path / "ermr.csv"
    ended = tocsin("export", "ermr", made / "alerts.jsonl", "-o", out_file, "--source", silent)
    assert ended.code == 0, ended.err
    left = [name for name in _rows(out_file)[0] if name.startswith(("New", "Tot"))]
    assert left == ["New", "Tot", "New Serious", "Tot Serious", "New Fatal", "Tot Fatal"]
    assert "no report states: reported by a health professional" in ended.out


def test_the_assessment_log_gives_disposition_and_justification(made: Path, tmp_path: Path) -> None:
    key = _alerts(made)[-1]["signal_key"]
    alerts = ("--alerts", made / "alerts.jsonl")
    log, out = tmp_path / "audit.jsonl", tmp_path / "ermr.csv"
    for to, *more in (
        ("under_triage", "--assignee", "Dr B"),
        ("not_validated", "--reason", "=known"),
    ):
        decided = tocsin("signals", "decide", key, to, "--by", "Dr A", *more, "--log", log, *alerts)
        assert decided.code == 0, decided.err
    ended = tocsin("export", "ermr", made / "alerts.jsonl", "-o", out, "--audit", log)
    assert ended.code == 0, ended.err
    by_key = {row["Signal"]: row for row in _rows(out)}
    mine = by_key.pop(key)
    assert [mine[name] for name in ("Disposition", "Decided by", "Justification")] == [
        "not_validated", "Dr A", "'=known",
    ]  # fmt: skip
    assert mine["Last change"]
    assert mine["Assignee"] == "Dr B", "who was to assess it before it was dismissed"
    assert (mine["Due"], mine["Overdue since"]) == ("", ""), "it is decided on"
    last = max(alert["evaluated_on"] for alert in _alerts(made))
    latest = {alert["signal_key"]: alert for alert in _alerts(made)}
    for other, row in by_key.items():
        due = latest[other]["due"]
        assert (row["Due"], row["Overdue since"]) == (due, due if due < last else "")
    assert any(row["Overdue since"] for row in by_key.values())
    assert {row["Disposition"] for row in by_key.values()} == {"detected"}
    assert {row["Justification"] for row in by_key.values()} == {""}


def test_what_is_wrong_is_one_line(made: Path, tmp_path: Path) -> None:
    alerts, other = made / "alerts.jsonl", tmp_path / "other.jsonl"
    line = json.dumps({**_messages(9)[-1], "products": [{"substances": ["other"]}]}) + "\n"
    other.write_text(line * len(_messages(9)))
    (tmp_path / "few.jsonl").write_text(line * 300)
    for arguments, said in (
        ((alerts, "-o", tmp_path / "x.pdf"), "must end with .csv or .xlsx"),
        ((alerts, "-o", alerts), "must be another than every source"),
        ((alerts, "-o", tmp_path / "x.csv", "--period", "2m"), "must be 15d, 1m, 3m, 6m, 12m"),
        ((alerts, "-o", tmp_path / "x.csv", "--source", other), "got no case of the signal"),
        (
            (alerts, "-o", tmp_path / "x.csv", "--source", tmp_path / "few.jsonl"),
            "export ermr: --source must name every file of the replay, in its order: ",
        ),
        ((alerts, "-o", tmp_path / "x.csv", "--until", "2020-01-01"), "up to 2020-01-01; got none"),
        ((tmp_path / "none.jsonl", "-o", tmp_path / "x.csv"), "must be a file of alerts"),
        ((alerts, "-o", tmp_path / "no" / "x.csv"), "the folder to write into must exist"),
    ):
        ended = tocsin("export", "ermr", *arguments)
        assert ended.code == 2, arguments
        assert ended.err.count("\n") == 1
        assert said in ended.err
    ended = tocsin(
        "export", "readus", alerts, "-o", tmp_path / "x.md", "--source", tmp_path / "few.jsonl"
    )
    assert ended.code == 2
    assert "export readus: --source must name every file of the replay" in ended.err
    assert "got few.jsonl from 0 to 299. Messages 300 to " in ended.err


def test_alerts_after_until_need_no_source(made: Path, tmp_path: Path) -> None:
    lines = (made / "reports.jsonl").read_text("utf-8").splitlines()
    until = "2024-02-15"
    early = [line for line in lines if json.loads(line)["latest_received"] <= until]
    (tmp_path / "early.jsonl").write_text("\n".join(early), "utf-8")
    ended = tocsin(
        *("export", "ermr", made / "alerts.jsonl", "-o", tmp_path / "x.csv"),
        *("--source", tmp_path / "early.jsonl", "--until", until),
    )
    assert ended.code == 0, ended.err


def test_reference_periods_end_on_the_day_and_are_as_long_as_they_say() -> None:
    for back in range(1_500):
        last = date(2024, 12, 31) - timedelta(days=back)
        for label, months in (("1m", 1), ("3m", 3), ("6m", 6), ("12m", 12)):
            found = reference_period(label, last)
            assert found.last == last
            assert found.first == last - relativedelta(months=months) + timedelta(days=1)
    assert (date(2024, 3, 15) - reference_period("15d", date(2024, 3, 15)).first).days == 14
    with pytest.raises(InputError, match="--period: must be 15d"):
        reference_period("1y", date(2024, 1, 1))
