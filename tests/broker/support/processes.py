"""Tocsin as its users run it, in processes of its own, and what it leaves on the topics."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from kafka import TopicPartition

from schemas.alert import Alert
from schemas.delta import Delta
from schemas.product import Product
from schemas.report import Reaction, Report, Revision
from schemas.vocabulary import ProductRole, RevisionKind
from streams.runtime.broker.clients import make_producer
from streams.runtime.broker.topic_reader import read_to_end
from streams.runtime.settings import Settings
from streams.runtime.wire.deltas import decode_delta
from tests.support.cli import COMMAND
from tests.support.source_file_counts import Counts, tabulate

KEPT = ("TOCSIN_CONNECT_TIMEOUT_MS", "TOCSIN_DEBUG")
SESSION_MS = "6000"  # the least a broker allows; a killed worker's partitions are free after it


def environment(settings: Settings, state: Path) -> dict[str, str]:
    foreign = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TOCSIN_") or name in KEPT
    }
    return {
        **foreign,
        "TOCSIN_BOOTSTRAP": settings.bootstrap,
        "TOCSIN_TOPIC_PREFIX": settings.topic_prefix,
        "TOCSIN_PARTITIONS": str(settings.partitions),
        "TOCSIN_ALLOW_PLAINTEXT_TO": ",".join(settings.allow_plaintext_to),
        "TOCSIN_SESSION_TIMEOUT_MS": str(settings.session_timeout_ms)
        if "session_timeout_ms" in settings.model_fields_set
        else SESSION_MS,
        "TOCSIN_KEY_REQUIRED": str(settings.key_required),
        "TOCSIN_STATE_DIR": str(state),
        **({"TOCSIN_GROUP_INSTANCE_ID": name} if (name := settings.group_instance_id) else {}),
        "COLUMNS": "200",
    }


def tocsin(
    settings: Settings, state: Path, *arguments: object, seconds: float = 90
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=environment(settings, state),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


class Running:
    """A command that runs until a signal stops it, with its output in files."""

    def __init__(self, settings: Settings, state: Path, *arguments: object) -> None:
        state.mkdir(parents=True, exist_ok=True)
        stem = f"{time.monotonic_ns()}"
        self.out, self.err = state / f"{stem}.out", state / f"{stem}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [*COMMAND, *map(str, arguments)],
                env=environment(settings, state),
                stdout=out,
                stderr=err,
            )

    def says(self, words: str, times: int = 1, seconds: float = 45) -> None:
        """Wait until it has written these words so often."""
        try:
            wait_until(lambda: self.text().count(words) >= times, seconds, words)
        except AssertionError as error:
            error.add_note(self.text())
            raise

    def text(self) -> str:
        return self.out.read_text() + self.err.read_text()

    def tally(self, name: str) -> int:
        """Return a number of the table that it prints at its end."""
        for line in self.out.read_text().splitlines():
            words = line.replace("│", " ").split()
            if words[:1] == [name]:
                return int(words[1].replace(",", ""))
        return 0

    def stop(self, seconds: float = 30) -> None:
        """Send SIGTERM; it must end cleanly."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(seconds) == 0, self.text()
        assert "Traceback" not in self.text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@contextmanager
def running(settings: Settings, state: Path, *arguments: object) -> Iterator[Running]:
    command = Running(settings, state, *arguments)
    try:
        yield command
    finally:
        if command.process.poll() is None:
            command.kill()


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def drain(settings: Settings, state: Path, stage: str = "all") -> pl.DataFrame:
    """Run until all that is published is counted, by whatever rules; return the counts."""
    file = state.parent / "counts.parquet"
    rules = ("--change-rules",)
    done = tocsin(settings, state, "run", "--stage", stage, *rules, "--drain", "--counts", file)
    assert done.returncode == 0, done.stderr
    return pl.read_parquet(file)


# what is on the topics


def records(settings: Settings, name: str) -> list[Any]:
    return list(read_to_end(settings, f"{settings.topic_prefix}{name}"))


def deltas(settings: Settings) -> list[Delta]:
    return [decode_delta(record.value) for record in records(settings, "deltas")]


def alerts(settings: Settings) -> list[Alert]:
    return list(each_alert(settings))


def each_alert(settings: Settings) -> Iterator[Alert]:
    for record in read_to_end(settings, f"{settings.topic_prefix}alerts"):
        if b'"change_id"' not in record.value:  # a change of the rules
            yield Alert.model_validate_json(record.value)


def require_contiguous(found: Iterable[Delta]) -> dict[int, int]:
    """Check that the ranges of each partition follow one another from 0; return their ends."""
    ends: dict[int, int] = {}
    for delta in found:
        assert delta.first_offset == ends.get(delta.partition, 0)
        assert delta.next_offset > delta.first_offset
        ends[delta.partition] = delta.next_offset
    return ends


def require_revisions(found: Iterable[Alert]) -> int:
    """Check that revisions of each signal are 1, 2, 3, ... and no id stands twice; count them."""
    last: dict[str, int] = {}
    ids = set()
    for alert in found:
        assert alert.revision == last.get(alert.signal_key, 0) + 1
        last[alert.signal_key] = alert.revision
        ids.add(alert.alert_id)
    assert len(ids) == sum(last.values())
    return len(ids)


def send(settings: Settings, messages: Iterable[tuple[bytes | None, bytes | None]]) -> None:
    """Publish keys and values like another sender, without validation."""
    producer = make_producer(settings)
    try:
        sent = [
            producer.send(f"{settings.topic_prefix}reports", value, key) for key, value in messages
        ]
        producer.flush()
        for future in sent:
            future.get(timeout=0)
    finally:
        producer.close()


def at(settings: Settings, name: str, partition: int = 0) -> TopicPartition:
    return TopicPartition(f"{settings.topic_prefix}{name}", partition)


# a stream with everything in it


def report(case: int, version: int = 1, *, day: int = 0, nullified: bool = False) -> Report:
    """Return a version of a case: drug and event differ from version to version."""
    chance = random.Random(case * 1_000 + version)
    drug = chance.randrange(12)
    event = drug if chance.random() < 0.4 else chance.randrange(15)
    first = date(2024, 1, 1) + timedelta(days=day)
    revision = Revision(kind=RevisionKind.NULLIFICATION, reason="sent in error")
    return Report(
        case_id=f"C{case}",
        version=version,
        message_id=f"C{case}.{version}",
        source="test",
        first_received=first,
        latest_received=first + timedelta(days=version - 1),
        revision=revision if nullified else None,
        products=(Product(substances=(f"drug {drug}",), role=ProductRole.SUSPECT),),
        reactions=(Reaction(term=f"event {event}"), Reaction(term=f"event {(event * 7) % 15}")),
    )


def stream(cases: int, seed: int) -> tuple[list[Report], list[Report]]:
    """Return messages with follow-ups, nullifications, repeats and stale versions; and what holds.

    Cases arrive in order of their day, everything else at any later place.
    """
    chance = random.Random(seed)
    placed: list[tuple[float, Report]] = []
    latest: list[Report] = []
    for case in range(cases):
        last = chance.choice((1, 1, 1, 1, 2, 3))
        nullified = chance.random() < 0.1
        versions = [
            report(case, v, day=case * 40 // cases, nullified=nullified and v == last)
            for v in range(1, last + 1)
        ]
        latest.append(versions[-1])
        again = [version for version in versions if chance.random() < 0.2]
        place = float(case)
        for version in versions + again:
            placed.append((place, version))
            place += chance.random() * cases / 5 - cases / 50
    return [version for _, version in sorted(placed, key=lambda pair: pair[0])], latest


def keyed(reports: Iterable[Report]) -> list[tuple[bytes, bytes]]:
    return [(version.case_id.encode(), version.model_dump_json().encode()) for version in reports]


def recount(latest: Iterable[Report]) -> Counts:
    return tabulate(
        (
            {name for product in one.products for name in product.substances},
            {reaction.term for reaction in one.reactions},
        )
        for one in latest
        if not one.is_nullified
    )


def as_counts(frame: pl.DataFrame) -> Mapping[tuple[str, str], tuple[int, int, int, int]]:
    columns = ("n_observed", "n_drug", "n_event", "n_total")
    rows = frame.select("drug", "event", *columns).iter_rows()
    return {(drug, event): (a, b, c, d) for drug, event, a, b, c, d in rows}
