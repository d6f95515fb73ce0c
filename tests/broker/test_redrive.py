"""Redrive on a real Kafka: each reject is published once, despite crashes and parallel redrives.

"Landing" is seen on the topics themselves: the counts alone would hide a second landing, since a
repeated version changes nothing, nor does a repeated notice.
"""

import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import BrokerError, InputError
from schemas.rejected import Rejected
from streams.runtime.broker import transactions
from streams.runtime.broker.clients import make_producer
from streams.runtime.broker.topics import create_topics
from streams.runtime.broker.transactions import discard
from streams.runtime.operations import redrive as redrive_module
from streams.runtime.operations.redrive import Redrive, Selection, as_line, read_rejects, redrive
from streams.runtime.settings import Settings
from streams.runtime.wire.limits import MAX_MESSAGE_BYTES
from streams.runtime.wire.rejects import reject_record
from tests.broker.support.notices import line, notice, run_detector, safety_alerts, send_notices
from tests.broker.support.processes import (
    as_counts,
    deltas,
    drain,
    keyed,
    records,
    recount,
    report,
    require_contiguous,
    send,
    tocsin,
)
from tests.broker.support.stages import count_all

pytestmark = pytest.mark.broker


class Crash(BaseException):
    """The process ends here, as far as anybody can tell."""


@pytest.fixture
def one_partition(settings: Settings, tmp_path: Path) -> Settings:
    """Settings of topics with one partition, and a state directory."""
    chosen = {"partitions": 1, "state_dir": tmp_path / "state", "session_timeout_ms": 6_000}
    settings = settings.model_copy(update=chosen)
    create_topics(settings)
    return settings


def landed(settings: Settings) -> Counter[bytes]:
    """Return how often each value was redriven, onto the reports or the notices."""
    found = [*records(settings, "reports"), *records(settings, "notices")]
    return Counter(r.value for r in found if dict(r.headers).get("redriven-from"))


def with_empty_key(settings: Settings, number: int) -> Counter[bytes]:
    """Publish reports with an empty key, to be rejected; return their distinct values."""
    values = [value for _, value in keyed(report(case) for case in range(number))]
    send(settings, [(b"", value) for value in values])
    count_all(settings)
    return Counter(values)


def of_an_earlier_reader(settings: Settings, number: int) -> Counter[bytes]:
    """Publish rejects of notices that are readable now; return their distinct values."""
    values = [line(notice(at, f"SUBJECT-{at}")) for at in range(number)]
    with closing(make_producer(settings)) as producer:
        for at, raw in enumerate(values):
            rejected = Rejected(source="old.jsonl", position=at, reason="not known yet", raw=raw)
            value, key, headers = reject_record(rejected)
            topic = f"{settings.topic_prefix}rejected"
            producer.send(topic, value, key, headers=list(headers.items()))
        producer.flush()
    return Counter(values)


def listed(settings: Settings, state: Path, *options: object) -> list[dict[str, Any]]:
    done = tocsin(settings, state, "rejected", "list", "-o", "jsonl", *options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_rejects_are_listed_mended_redriven_and_counted_once(
    topics: Settings, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    good, empty, foreign, broken = (report(case) for case in range(4))
    values = {
        one.case_id: value for one in (good, empty, foreign, broken) for _, value in keyed([one])
    }
    send(
        topics,
        [
            *keyed([good]),
            (b"", values["C1"]),
            (b"another", values["C2"]),
            (b"C3", values["C3"].replace(b'"first_received":"2024-', b'"first_received":"20x4-')),
            (b"C4", None),
            (b"C5", b"\xff\xfe"),
        ],
    )
    assert as_counts(drain(topics, state)) == recount([good])

    lines = listed(topics, state)
    assert len(lines) == 5
    said = {line["key"]: line for line in lines}
    assert said["another"]["value"].encode() == values["C2"]
    assert said["another"]["reason"] == "key: must be the case_id of the report; got another one"
    assert said["C5"]["value_base64"] == "//4="
    assert {line["redriven"] for line in lines} == {None}
    assert len(listed(topics, state, "--reason", "KEY: must be", "--limit", 1)) == 1
    assert len(listed(topics, state, "--source", "files")) == 0
    tomorrow = datetime.now(UTC).date() + timedelta(1)
    assert listed(topics, state, "--since", tomorrow) == []
    assert len(listed(topics, state, "--since", tomorrow - timedelta(2))) == 5
    table = tocsin(topics, state, "rejected", "list", "--limit", 3).stdout
    assert "5 open rejects, the first 3 shown" in table
    assert f"{topics.topic_prefix}reports[" in table

    planned = tocsin(topics, state, "rejected", "redrive", "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "as it was" in planned.stdout
    assert landed(topics) == Counter(), "a dry run does nothing"
    done = tocsin(topics, state, "rejected", "redrive")
    assert done.stdout.splitlines()[1:] == planned.stdout.splitlines()[1:]
    assert landed(topics) == Counter([values["C1"], values["C2"]])
    assert as_counts(drain(topics, state)) == recount([good, empty, foreign])

    # The others must be mended: one as text, one as an object, one is left as it is.
    lines = {line["key"]: line for line in listed(topics, state)}
    assert sorted(lines) == ["C3", "C4", "C5"]
    lines["C3"]["value"] = lines["C3"]["value"].replace("20x4-", "2024-")
    lines["C4"]["value"] = json.loads(keyed([report(4)])[0][1])
    lines["C5"]["value"] = "still no report"
    file = tmp_path / "mended.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines.values()))
    for times in range(2):
        done = tocsin(topics, state, "rejected", "redrive", "--from", file)
        assert done.returncode == 0, done.stderr
        assert "left 1: " in done.stdout
        assert landed(topics).total() == 4, f"after {times + 1}"
    expected = recount([good, empty, foreign, broken, report(4)])
    assert as_counts(drain(topics, state)) == expected
    assert [line["key"] for line in listed(topics, state)] == ["C5"]
    how = Counter(line["redriven"] for line in listed(topics, state, "--all"))
    assert how == {"as it was": 2, "mended": 2, None: 1}

    # Without a database the partition is recounted: rejected reports stay rejected, once.
    shutil.rmtree(state)
    assert as_counts(drain(topics, state)) == expected
    assert sum(require_contiguous(deltas(topics)).values()) >= 10
    assert len(listed(topics, state, "--all")) == 5


def test_notices_are_listed_mended_redriven_and_consumed_once(
    one_partition: Settings, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    early = notice(0, "EARLY", received=datetime.now(UTC).date() + timedelta(days=3))
    send_notices(one_partition, [b"{", line(early), line(notice(4))])
    run_detector(one_partition)
    file = tmp_path / "notices.jsonl"
    file.write_bytes(line(notice(2, "FILE")).replace(b'"received":"2024-', b'"received":"20x4-'))
    assert tocsin(one_partition, state, "publish", "--notices", file).returncode == 2
    with_empty_key(one_partition, 1)

    planned = tocsin(one_partition, state, "rejected", "redrive", "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "left 1: received: must not lie in the future" in planned.stdout
    assert "left 1: received: Input should be a valid date" in planned.stdout
    lines = {(line["source"], line["position"]): line for line in listed(one_partition, state)}
    broken, later, of_file, unkeyed = (
        lines[place]
        for place in (
            (f"{one_partition.topic_prefix}notices[0]", 0),
            (f"{one_partition.topic_prefix}notices[0]", 1),
            ("notices.jsonl", 1),
            (f"{one_partition.topic_prefix}reports[0]", 0),
        )
    )
    # What came from the notices stays one, and a report stays a report.
    strange = tmp_path / "strange.jsonl"
    swapped = broken | {"value": unkeyed["value"]}, unkeyed | {"value": line(notice(1)).decode()}
    strange.write_text("\n".join(map(json.dumps, swapped)))
    done = tocsin(one_partition, state, "rejected", "redrive", "--from", strange)
    assert (done.returncode, landed(one_partition)) == (0, Counter())
    assert "left 1: notice_id: Field required" in done.stdout

    broken["value"] = line(notice(1, "BROKEN")).decode()
    later["value"] = json.loads(later["value"]) | {"received": "2024-03-02"}
    of_file["value"] = of_file["value"].replace("20x4-", "2024-")
    mended = tmp_path / "mended.jsonl"
    mended.write_text("\n".join(map(json.dumps, (broken, later, of_file))))
    for times in range(2):
        done = tocsin(one_partition, state, "rejected", "redrive", "--from", mended)
        assert done.returncode == 0, done.stderr
        assert landed(one_partition).total() == 3, f"after {times + 1}"
    found = {
        r.key: r for r in records(one_partition, "notices") if dict(r.headers).get("redriven-from")
    }
    assert found.keys() == {b"BROKEN", b"EARLY", b"FILE"}
    assert found[b"BROKEN"].value == line(notice(1, "BROKEN"))
    assert dict(found[b"FILE"].headers)["redriven-from"] == b"notices.jsonl@1"
    for _ in range(2):
        run_detector(one_partition)
        published = [(alert.subject, alert.revision) for alert in safety_alerts(one_partition)]
        assert sorted(published) == [("BROKEN", 1), ("EARLY", 1), ("FILE", 1), ("RUM", 1)]
    assert [line["source"] for line in listed(one_partition, state)] == [unkeyed["source"]]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_redrive_killed_around_its_commit_is_finished_by_the_next(
    one_partition: Settings, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    values = with_empty_key(one_partition, 16) + of_an_earlier_reader(one_partition, 14)
    monkeypatch.setattr(redrive_module, "_TRANSACTION_RECORDS", 10)
    acknowledged = transactions.Transaction.wait_for_acknowledgements
    dying: list[Any] = []

    def die_before(records: Any) -> None:
        acknowledged(records)  # all of it is in the log
        dying.append(records)
        if len(dying) == 2:
            raise Crash

    publish = redrive_module._publish

    def die_after(*arguments: Any) -> None:
        publish(*arguments)
        dying.append(arguments)
        if len(dying) == 2:
            raise Crash

    with monkeypatch.context() as patched:
        if moment == "before":
            patched.setattr(transactions.Transaction, "wait_for_acknowledgements", die_before)
            patched.setattr(
                transactions, "_aborted", lambda producer: True
            )  # the dead abort nothing
        else:
            patched.setattr(redrive_module, "_publish", die_after)
        with pytest.raises(Crash):
            redrive(one_partition, Selection())
    rest = redrive(one_partition, Selection())
    assert rest == Redrive(Counter({"as it was": 20 if moment == "before" else 10}), Counter())
    assert landed(one_partition) == values
    assert redrive(one_partition, Selection()).redriven.total() == 0
    assert list(read_rejects(one_partition, Selection())) == []


def test_the_later_of_two_parallel_redrives_fences_the_first(
    one_partition: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = with_empty_key(one_partition, 30)
    monkeypatch.setattr(redrive_module, "_TRANSACTION_RECORDS", 10)
    publish = redrive_module._publish
    others: list[Redrive] = []

    def meet_another(*arguments: Any) -> None:
        publish(*arguments)
        if not others:
            others.append(Redrive(Counter(), Counter()))  # but once
            others[0] = redrive(one_partition, Selection())

    monkeypatch.setattr(redrive_module, "_publish", meet_another)
    with pytest.raises(BrokerError, match="another redrive has begun and goes on"):
        redrive(one_partition, Selection())
    assert others[0].redriven.total() == 20
    assert landed(one_partition) == values


def test_a_redrive_waits_for_a_marker_in_an_open_transaction(
    one_partition: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = with_empty_key(one_partition, 3)
    hanging = make_producer(one_partition, f"{one_partition.topic_prefix}hanging")
    topic = f"{one_partition.topic_prefix}rejected"
    publish = redrive_module._publish

    def behind_another(*arguments: Any) -> None:
        hanging.begin_transaction()
        hanging.send(topic, b"of a worker", b"k", partition=0)
        hanging.flush()
        publish(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(redrive_module, "_publish", behind_another)
        assert redrive(one_partition, Selection()).redriven.total() == 3
    ending = threading.Timer(2, hanging.abort_transaction)
    ending.start()
    try:
        assert redrive(one_partition, Selection()).redriven.total() == 0
    finally:
        ending.join()
        discard(hanging)
    assert landed(one_partition) == values


def test_a_repeated_reject_states_its_first_coordinates_and_attempts(
    one_partition: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = report(1).model_copy(
        update={"latest_received": datetime.now(UTC).date() + timedelta(5)}
    )
    send(one_partition, keyed([early]))
    count_all(one_partition)
    assert redrive(one_partition, Selection()).left == {
        "latest_received: must not lie in the future": 1
    }

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Later":
            return cls(2200, 1, 1, tzinfo=tz)

    monkeypatch.setattr(
        redrive_module, "datetime", Later
    )  # not for the worker: it rejects it again
    for attempt in (1, 2):
        assert redrive(one_partition, Selection()).redriven.total() == 1
        count_all(one_partition)
        ((reject, _),) = read_rejects(one_partition, Selection())
        assert reject.rejected.first == f"{one_partition.topic_prefix}reports[0]@0"
        assert reject.rejected.attempts == attempt
        assert reject.rejected.position > 0
        assert as_line(reject, None)["attempts"] == attempt
    assert redrive(one_partition, Selection(limit=1)).redriven.total() == 1
    assert len(landed(one_partition)) == 1
    assert landed(one_partition).total() == 3


def test_truncated_and_unknown_rejects_are_not_redriven(
    one_partition: Settings, tmp_path: Path
) -> None:
    large = keyed([report(1)])[0][1].ljust(MAX_MESSAGE_BYTES - 200)
    send(one_partition, [(b"C1", large)])
    count_all(one_partition)
    result = redrive(one_partition, Selection())
    assert result.redriven.total() == 0
    assert [reason.rpartition(" of ")[2] for reason in result.left] == [
        f"{len(large)} bytes are kept here"
    ]
    with pytest.raises(InputError, match=r"got elsewhere@1, of other bytes or not there at all"):
        redrive(one_partition, Selection(), {("elsewhere@1", "0"): b"{}"})
    ((reject, _),) = read_rejects(one_partition, Selection())
    mended = {reject.identity: keyed([report(1)])[0][1]}
    assert redrive(one_partition, Selection(), mended).redriven == {"mended": 1}
    assert landed(one_partition).total() == 1


@pytest.fixture(autouse=True)
def _no_topic_is_left_waiting() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        assert not isinstance(thread, threading.Timer)
