"""`tocsin state`: inspects stored state, detects a tampered count, and rebuilds."""

import shutil
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import msgspec
import pytest

from detectors.rules import load_rules
from schemas.alert import Alert
from schemas.delta import Delta
from schemas.errors import StateError
from streams.core.cases.strata import AgeBands
from streams.core.counting.windows import WindowSpec
from streams.runtime.broker.clients import make_producer
from streams.runtime.settings import Settings
from streams.runtime.state.case_store import RocksStore
from streams.runtime.wire.deltas import decode_delta, encode_delta
from streams.runtime.workers.case_worker import CaseWorker
from streams.runtime.workers.detect_worker import DetectWorker
from tests.broker.support.processes import (
    as_counts,
    keyed,
    records,
    report,
    send,
    stream,
    tocsin,
)
from tests.broker.support.retention import forget_records
from tests.broker.support.stages import count_all, detect_all
from tests.broker.support.stored_cases import expected_cases, stored_cases

pytestmark = pytest.mark.broker


def state(settings: Settings, *arguments: object) -> CompletedProcess[str]:
    return tocsin(settings, Path(settings.state_dir), "state", *arguments)


def published(settings: Settings, name: str, value: bytes, key: bytes) -> None:
    producer = make_producer(settings)
    with closing(producer):
        future = producer.send(f"{settings.topic_prefix}{name}", value, key, partition=0)
        producer.flush()
        future.get(timeout=0)


def tamper_with_the_database(settings: Settings) -> str:
    folder = Path(settings.state_dir) / "cases" / "0"
    with RocksStore(folder, f"{settings.topic_prefix}reports[0] of 1") as store:
        (version,) = store.get(["C5"]).values()
        fields = {name: getattr(version, name) for name in version.__struct_fields__}
        other = type(version)(**{**fields, "events": version.events + "x", "serious": True})
        store.load([(b"cC5", msgspec.msgpack.encode(other)), (b"cC6", None)])
    return "case C5: differs in serious, events"


def tamper_with_the_deltas(settings: Settings) -> str:
    last = decode_delta(records(settings, "deltas")[-1].value)
    first = decode_delta(records(settings, "deltas")[0].value)
    again = Delta(0, last.next_offset, last.next_offset + 1, 0, first.changes.head(1))
    published(settings, "deltas", encode_delta(again), b"0")
    return f"case {first.changes['case_id'][0]}: its deltas do not add up to it"


def tamper_with_an_alert(settings: Settings) -> str:
    alert = Alert.model_validate_json(records(settings, "signals")[-1].value)
    counts = alert.counts.model_copy(update={"n_drug": alert.counts.n_drug + 1})
    wrong = alert.model_copy(update={"counts": counts})
    published(settings, "signals", wrong.model_dump_json().encode(), alert.signal_key.encode())
    return f"alert {alert.alert_id}: says "


def tamper_with_the_changelog(settings: Settings) -> str:
    record = records(settings, "cases")[0]
    published(settings, "cases", record.value, b"0")  # an old state, after the newest one
    return "changelog"


@pytest.mark.parametrize(
    "tamper",
    [
        tamper_with_the_database,
        tamper_with_the_deltas,
        tamper_with_an_alert,
        tamper_with_the_changelog,
    ],
)
def test_verify_detects_a_tampered_count(
    one_partition: Settings, tamper: Callable[[Settings], str]
) -> None:
    messages, _ = stream(300, seed=51)
    send(one_partition, [*keyed(messages[:200]), (b"k", b"broken")])
    count_all(one_partition)
    send(one_partition, keyed(messages[200:]))
    count_all(one_partition)
    detect_all(one_partition)
    right = state(one_partition, "verify")
    assert (right.returncode, right.stderr) == (0, "")
    lines = right.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["database", "changelog", "deltas", "latest"]
    assert all(line.endswith(" compared, 0 differ") for line in lines)
    assert f"offset {len(messages) + 1}: 300 compared" in lines[0]
    words = tamper(one_partition)
    wrong = state(one_partition, "verify")
    assert wrong.returncode == 1
    assert words in wrong.stdout
    assert "Traceback" not in wrong.stderr


def test_inspect_prints_what_is_there_while_a_worker_runs(one_partition: Settings) -> None:
    messages = [report(case) for case in range(20)] + [report(3, 2, nullified=True)]
    send(one_partition, keyed(messages))
    count_all(one_partition)
    detect_all(one_partition)
    send(one_partition, keyed([report(30)]))
    with closing(CaseWorker(one_partition)) as worker:
        ends = worker.ends()
        while not worker.drained(ends):
            worker.step(100)
        shown = state(one_partition, "inspect")
    assert shown.returncode == 0, shown.stderr
    (row,) = [line.split() for line in shown.stdout.splitlines() if "reports[0]" in line]
    assert row == [f"{one_partition.topic_prefix}reports[0]", "of", "1", "22", "21", "20", "0", "5"]
    assert f"snapshot of {one_partition.topic_prefix}deltas" in shown.stdout


@pytest.mark.parametrize("source", ["cases", "reports"])
def test_rebuild_makes_a_database_from_the_topics(one_partition: Settings, source: str) -> None:
    messages, _ = stream(300, seed=52)
    send(one_partition, [*keyed(messages), (b"k", b"broken")])
    count_all(one_partition)
    tamper_with_the_database(one_partition)
    if source == "cases":
        forget_records(one_partition, 10)
    asked = tocsin(one_partition, Path(one_partition.state_dir), "state", "rebuild")
    assert asked.returncode != 0, "nobody said yes"
    assert stored_cases(one_partition) != expected_cases(messages)
    with closing(CaseWorker(one_partition)) as worker:
        while not worker._owned:
            worker.step(100)
        refused = state(one_partition, "rebuild", "--yes")
        assert refused.returncode == 2
        assert "LOCK" in refused.stderr
    done = state(one_partition, "rebuild", "--yes", "--from", source)
    assert done.returncode == 0, done.stderr
    assert "partition 0: 300 cases up to offset" in done.stdout
    assert stored_cases(one_partition) == expected_cases(messages)
    send(one_partition, keyed([report(300)]))
    count_all(one_partition)
    assert "C300" in stored_cases(one_partition)


def _counts_of(worker: DetectWorker) -> object:
    with closing(worker):
        while (counts := worker.counts()) is None:
            worker.step(100)
        return as_counts(counts)


def test_other_age_bands_are_counted_anew_after_one_command(one_partition: Settings) -> None:
    messages, _ = stream(200, seed=54)
    send(one_partition, keyed(messages))
    count_all(one_partition)
    counts = detect_all(one_partition)
    bands = partial(
        DetectWorker,
        one_partition,
        [WindowSpec.parse("cumulative")],
        load_rules(["mhra", "ic"]),
        age_bands=AgeBands.parse("18,65"),
        change_rules=True,
    )
    with pytest.raises(StateError, match="state rebuild --detector"):
        _counts_of(bands())
    done = state(one_partition, "rebuild", "--detector", "--yes")
    assert done.stdout == "detector: snapshot deleted; it counts anew\n", done.stderr
    assert _counts_of(bands()) == counts
    assert state(one_partition, "rebuild", "--detector", "--yes").returncode == 0
    forget_records(one_partition, 1, name="deltas")
    gone = state(one_partition, "rebuild", "--detector", "--yes")
    assert gone.returncode == 2
    assert "must hold all deltas; got a topic that begins at 1" in gone.stderr


def test_state_commands_without_state_or_topics_are_one_line(
    one_partition: Settings, tmp_path: Path
) -> None:
    for command in (("inspect",), ("rebuild", "--yes")):
        none = state(one_partition, *command)
        assert none.returncode == 2
        assert none.stderr.count("\n") == 1
        assert "got none. Set state_dir" in none.stderr
    send(one_partition, keyed([report(1), report(2)]))
    count_all(one_partition)
    shutil.rmtree(one_partition.state_dir)
    forget_records(one_partition, 1)
    gone = state(one_partition, "verify")
    assert gone.returncode == 2
    assert "there is nothing to compare with" in gone.stderr
