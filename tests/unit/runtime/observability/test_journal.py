"""Logging: JSON lines that trace a report to its alerts, or text for a terminal."""

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from schemas.errors import RejectCode, StateError
from schemas.rejected import Rejected
from streams.runtime.observability import journal as journal_module
from streams.runtime.observability.journal import Journal, LogFormat, logging_as
from streams.runtime.observability.observer import EvaluationEvent
from streams.runtime.wire.batches import Batch
from tests.support.work import Work, raw, watched

LOG = logging.getLogger("streams.runtime.somewhere")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    ours = logging.getLogger("streams")
    level, handlers = ours.level, list(logging.getLogger().handlers)
    yield
    ours.setLevel(level)
    assert logging.getLogger().handlers == handlers


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out, err = capfd.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_a_line_of_text_is_as_people_know_it(capfd: pytest.CaptureFixture[str]) -> None:
    with logging_as("text"):
        LOG.info("took %s", "pv.reports[0]")
        LOG.debug("nothing")
        logging.getLogger("else").info("nothing")
        logging.getLogger("else").warning("watch out")
    first, second = capfd.readouterr().err.splitlines()
    assert first.endswith(" streams.runtime.somewhere took pv.reports[0]")
    assert second.endswith(" else watch out")


def test_the_single_values_of_a_line_follow_it_as_text(capfd: pytest.CaptureFixture[str]) -> None:
    fields = {"event": "x", "attempt": 2, "error": 'no "answer"', "path": "a/b", "blocked": [3]}
    with logging_as("text"):
        LOG.warning("retried", extra=fields)
        logging.getLogger("else").warning("of a library", extra={"color": "red"})
    first, second = capfd.readouterr().err.splitlines()
    assert first.endswith(' retried attempt=2 error="no \\"answer\\"" path=a/b')
    assert second.endswith(" of a library")


def test_a_line_break_in_a_message_begins_no_line_of_its_own(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with logging_as("text"):
        LOG.info("found %s", "a\n2026-01-01 00:00:00 streams forged\x85\u2028z")
    [line] = capfd.readouterr().err.splitlines()
    assert line.endswith(r"found a\n2026-01-01 00:00:00 streams forged\n\nz")


def test_fields_are_members_of_a_line_of_json(capfd: pytest.CaptureFixture[str]) -> None:
    with logging_as("json"):
        LOG.warning("retried", extra={"attempt": 2, "blocked": [3]})
    (line,) = lines(capfd)
    assert (line["message"], line["attempt"], line["blocked"]) == ("retried", 2, [3])


def test_a_line_of_json_has_time_level_logger_and_message(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with logging_as("json"):
        LOG.warning('two\nlines and "quotes" of %s', "pv.reports[0]")
    (line,) = lines(capfd)
    assert datetime.fromisoformat(line.pop("time")).utcoffset() is not None
    assert line == {
        "level": "WARNING",
        "logger": "streams.runtime.somewhere",
        "message": 'two\nlines and "quotes" of pv.reports[0]',
    }


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_client_is_heard_only_once_it_is_connected(
    form: LogFormat, capfd: pytest.CaptureFixture[str]
) -> None:
    with logging_as(form) as connections:
        logging.getLogger("kafka.net").warning("cannot connect")
        connections.report_warnings()
        logging.getLogger("kafka.net").warning("slow")
    err = capfd.readouterr().err
    assert "cannot connect" not in err
    assert err.count("slow") == 1


def test_safety_alerts_and_notices_stand_in_the_journal(capfd: pytest.CaptureFixture[str]) -> None:
    journal, work = Journal(), Work()
    batch, counted, _ = work.count([watched(1, seriousness=["death"])])
    work.apply(batch, counted)
    (alert,) = work.detector.safety_alerts(work.detector.watermark)
    at = Batch("pv.notices", 2, 5, 6)
    evaluation = EvaluationEvent(
        [], [], full=False, seconds=0.1, safety_alerts=[alert], notices=2, last_notice=at
    )
    reject = Rejected(
        source="pv.notices[0]",
        position=3,
        reason="notice: Invalid JSON",
        raw=b"{",
        code=RejectCode.NOT_JSON,
    )
    with logging_as("json"):
        journal.notices_rejected([reject])
        journal.alerts_published(evaluation, 0.2)
    rejected, evaluated, published = lines(capfd)
    assert (rejected["source"], rejected["position"]) == ("pv.notices[0]", 3)
    assert rejected["class"] == "not_json"
    assert evaluated["evaluation"] == published["evaluation"] == "pv.notices[2]@5"
    assert (evaluated["notices"], evaluated["alerts"], evaluated["batches"]) == (2, 1, [])
    assert (published["category"], published["kind"]) == ("FATAL_CASE", "new")
    assert published["alert_id"] == alert.alert_id


def test_the_name_of_an_unknown_field_is_not_logged(capfd: pytest.CaptureFixture[str]) -> None:
    raw = b'{"case_id": "A", "first_received": "2024-01-02", "latest_received": "2024-01-02", '
    _, _, rejected = Work().count([raw + b'"Jane Example, born 1970": 1}'])
    assert "Jane Example" in rejected[0].reason
    with logging_as("json"):
        Journal().notices_rejected(rejected)
    (line,) = lines(capfd)
    assert line["reason"] == "report: holds a field that the schema does not know"


def test_what_stops_a_process_is_in_its_journal_too(capfd: pytest.CaptureFixture[str]) -> None:
    error = StateError("store x: must open;\ngot y")
    with pytest.raises(StateError), logging_as("json"):
        raise error
    (line,) = lines(capfd)
    assert (line["event"], line["level"]) == ("stopped", "ERROR")
    assert line["message"] == "stopped: store x: must open; got y"
    with pytest.raises(StateError), logging_as("text"):
        raise error
    assert capfd.readouterr().err == ""


def test_a_report_is_followed_to_its_alerts(capfd: pytest.CaptureFixture[str]) -> None:
    journal, work = Journal(), Work()
    with logging_as("json"):
        deltas = []
        for start in (0, 10):
            values = [raw(case) for case in range(start, start + 10)] + [b"{"]
            batch, counted, rejected = work.count(values)
            journal.batch_counted(batch, counted, rejected, 0.123456)
            journal.delta_published(batch, 0.5)
            deltas.append(work.apply(batch, counted))
            journal.delta_applied(deltas[-1])
        alerts = work.evaluate()
        journal.alerts_published(EvaluationEvent(deltas, alerts, full=True, seconds=0.1), 0.75)
    found = lines(capfd)
    # offset 115 -> its batch -> the evaluation that included it -> its alerts
    (counted_line,) = (
        line
        for line in found
        if line["event"] == "counted" and line["first_offset"] <= 115 < line["next_offset"]
    )
    batch_name = counted_line["batch"]
    assert batch_name == "pv.reports[3]@111-122"
    expected = {"partition": 3, "first": 10, "rejected": 1, "entered": 10, "left": 0}
    assert counted_line.items() >= (expected | {"seconds": 0.1235}).items()
    of_batch = [line for line in found if line.get("batch") == batch_name]
    assert [line["event"] for line in of_batch] == ["counted", "rejected", "published", "applied"]
    assert (of_batch[1]["source"], of_batch[1]["position"]) == ("pv.reports[3]", 121)
    assert of_batch[1]["class"] == "not_json"
    assert of_batch[-1]["delta"] == "pv.deltas[0]@18"
    (evaluated,) = (line for line in found if batch_name in line.get("batches", ()))
    assert evaluated["evaluation"] == "pv.deltas[0]@17"
    assert evaluated["batches"] == ["pv.reports[3]@100-111", batch_name]
    assert (evaluated["alerts"], evaluated["seconds"]) == (len(alerts), 0.75)
    of_alerts = [line for line in found if line["event"] == "alert"]
    assert [line["alert_id"] for line in of_alerts] == [alert.alert_id for alert in alerts]
    assert [line["grade"] for line in of_alerts] == [alert.grade for alert in alerts]
    assert {line["evaluation"] for line in of_alerts} == {"pv.deltas[0]@17"}
    # and back: the alert's own offsets name the last batch
    assert alerts[0].as_of[0].next_offset == 122
    assert batch_name.endswith("-122")


def test_a_flood_of_rejects_is_cut_in_the_journal_only(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "_MAX_REJECTS", 3)
    with logging_as("json"):
        batch, counted, rejected = Work().count([b"{"] * 8)
        Journal().batch_counted(batch, counted, rejected, 0.1)
    found = lines(capfd)
    assert [line["event"] for line in found] == ["counted", *["rejected"] * 3]
    assert found[0]["rejected"] == len(rejected) == 8
