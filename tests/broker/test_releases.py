"""Releases on a real Kafka: a second one corrects the counts, whatever is sent again."""

import json
import random
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

import polars as pl

from schemas.release import ReleaseMarker
from schemas.report import Report
from streams.intake.vaers import read_vaers
from streams.runtime.broker.clients import make_producer
from streams.runtime.settings import Settings
from tests.broker.support.processes import (
    alerts,
    as_counts,
    deltas,
    keyed,
    records,
    recount,
    require_contiguous,
    require_revisions,
    stream,
    tocsin,
)
from tests.broker.support.stages import MHRA_IC
from tests.support.source_file_counts import Counts, tabulate

Rows = Mapping[int, tuple[str, str]]
"""Vaccine and term by number of the report."""

FIRST: Rows = {n: (f"V{n % 4}", f"Term {n % 4 if n % 3 else n % 5}") for n in range(1, 61)}
SECOND: Rows = {
    **{n: row for n, row in FIRST.items() if n % 10},  # every tenth has vanished
    4: ("V0", "Term 9"),  # recoded
    5: ("V3", FIRST[5][1]),  # another vaccine
    99: ("V1", "Term 1"),
}


def write(folder: Path, rows: Rows, month: int) -> Path:
    """Write an archive of 2021 as it was released on the first of a month."""
    tables = {
        "DATA": ["VAERS_ID,RECVDATE,STATE", *(f"{n},02/{1 + n % 9:02}/2021,CA" for n in rows)],
        "VAX": ["VAERS_ID,VAX_TYPE", *(f"{n},{vaccine}" for n, (vaccine, _) in rows.items())],
        "SYMPTOMS": ["VAERS_ID,SYMPTOM1", *(f"{n},{term}" for n, (_, term) in rows.items())],
    }
    path = folder / f"released-{month}.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        for name, lines in tables.items():
            member = zipfile.ZipInfo(f"2021VAERS{name}.csv", (2021, month, 1, 0, 0, 0))
            zipped.writestr(member, "\n".join(lines) + "\n")
    return path


def recounted(rows: Rows) -> Counts:
    return tabulate(({vaccine}, {term}) for vaccine, term in rows.values())


def published(settings: Settings, folder: Path, archive: Path) -> str:
    done = tocsin(settings, folder, "publish", archive)
    assert done.returncode == 0, done.stderr
    return done.stdout


def counted(settings: Settings, state: Path) -> dict[tuple[str, str], object]:
    state.mkdir(exist_ok=True)
    file = state.parent / "counts.parquet"
    done = tocsin(settings, state, "run", *MHRA_IC, "--drain", "--counts", file)
    assert done.returncode == 0, done.stderr
    return dict(as_counts(pl.read_parquet(file)))


def differences(settings: Settings, state: Path) -> list[int]:
    done = tocsin(settings, state, "state", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    return [int(number) for number in re.findall(r"(\d+) differ", done.stdout)]


def test_a_second_release_corrects_the_counts_and_the_first_changes_nothing(
    topics: Settings, tmp_path: Path
) -> None:
    first, second = write(tmp_path, FIRST, 4), write(tmp_path, SECOND, 5)
    state = tmp_path / "one"
    assert re.search(r"releases closed +│ +1", published(topics, tmp_path, first))
    assert counted(topics, state) == recounted(FIRST)

    published(topics, tmp_path, second)
    assert counted(topics, state) == recounted(SECOND)
    withdrawn = {
        case_id: delta.partition
        for delta in deltas(topics)
        for case_id, reason in delta.removed.select("case_id", "reason").iter_rows()
        if reason == "withdrawn"
    }
    assert withdrawn.keys() == {f"VAERS-{n}" for n in FIRST if n not in SECOND}
    assert set(withdrawn.values()) == set(range(topics.partitions))
    markers = [one for one in records(topics, "reports") if b"release_marker" in one.value]
    assert sorted((one.partition, json.loads(one.value)["released_on"]) for one in markers) == [
        (number, f"2021-0{month}-01") for number in range(topics.partitions) for month in (4, 5)
    ]

    published(topics, tmp_path, first)
    before = len(alerts(topics))
    assert counted(topics, state) == recounted(SECOND)
    assert len(alerts(topics)) == before
    found = differences(topics, state)
    assert len(found) == 3 * topics.partitions + 1
    assert set(found) == {0}

    empty = tmp_path / "two"
    assert counted(topics, empty) == recounted(SECOND)
    assert set(differences(topics, empty)) == {0}
    require_contiguous(deltas(topics))
    assert require_revisions(alerts(topics)) == before
    assert records(topics, "rejected") == []


def sent_by_any_client(settings: Settings, reports: Iterable[Report], seed: int) -> None:
    """Send reports by murmur2, by the CRC32 of librdkafka, and without a key at random."""
    chance = random.Random(seed)
    topic, number = f"{settings.topic_prefix}reports", settings.partitions
    with closing(make_producer(settings)) as producer:
        futures = []
        for key, value in keyed(reports):
            anywhere = chance.randrange(number)
            places = ((key, None), (key, zlib.crc32(key) % number), (None, anywhere))
            sent_key, partition = chance.choice(places)
            futures.append(producer.send(topic, value, sent_key, partition=partition))
        producer.flush()
        for future in futures:
            future.get(timeout=0)


def closed(settings: Settings, marker: ReleaseMarker) -> None:
    topic, value = f"{settings.topic_prefix}reports", marker.model_dump_json().encode()
    with closing(make_producer(settings)) as producer:
        for partition in range(settings.partitions):
            producer.send(topic, value, partition=partition).get(timeout=30)


def test_releases_and_follow_ups_of_any_client_count_as_a_recount(
    topics: Settings, tmp_path: Path
) -> None:
    settings = topics.model_copy(update={"key_required": False})
    messages, latest = stream(200, seed=7)
    for number, rows in enumerate((FIRST, SECOND)):
        items = list(read_vaers(write(tmp_path, rows, 4 + number)))
        of_archive = [item for item in items if isinstance(item, Report)]
        (marker,) = (item for item in items if isinstance(item, ReleaseMarker))
        part = messages[:150] if number == 0 else messages[150:]
        sent_by_any_client(settings, [*of_archive, *part], seed=number)
        closed(settings, marker)
        counts = counted(settings, tmp_path / "one")
    assert counts == recount([*latest, *of_archive])
    rerouted = [one for one in records(settings, "reports") if dict(one.headers)]
    assert len(rerouted) > 50
    assert set(differences(settings, tmp_path / "one")) == {0}
    assert counted(settings, tmp_path / "two") == counts
    assert records(settings, "rejected") == []
