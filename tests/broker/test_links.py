"""The link stage on a real Kafka: cases of one patient on any partitions count once."""

import shutil
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from schemas.link import CaseLink
from schemas.report import Report
from schemas.vocabulary import LinkBasis, LinkState
from streams.runtime.settings import Settings
from streams.runtime.workers.link_worker import LinkWorker
from tests.broker.support.processes import (
    as_counts,
    deltas,
    keyed,
    records,
    recount,
    report,
    require_contiguous,
    running,
    send,
    stream,
    tocsin,
    wait_until,
)
from tests.broker.support.stages import MHRA_IC

ALL = ("run", *MHRA_IC)


def patient_of(case_id: str) -> int:
    """Every third case is a later one of the patient of the case before."""
    number = int(case_id[1:])
    return number - 1 if number % 3 == 2 else number


def identified(reports: Iterable[Report]) -> list[Report]:
    return [
        one.model_copy(update={"worldwide_id": f"JP-PV-{patient_of(one.case_id) + 1}"})
        for one in reports
    ]


def counted_cases(latest: Iterable[Report]) -> list[Report]:
    """Return the case of each patient that counts: the first received that is not nullified."""
    held: dict[int, Report] = {}
    for one in latest:
        if not one.is_nullified:
            other = held.setdefault(patient_of(one.case_id), one)
            rank = [(each.first_received, each.case_id) for each in (one, other)]
            if rank[0] < rank[1]:
                held[patient_of(one.case_id)] = one
    return list(held.values())


def links(settings: Settings) -> list[CaseLink]:
    found = [record for record in records(settings, "reports") if b'"case_link"' in record.value]
    made = [CaseLink.model_validate_json(record.value) for record in found]
    assert [record.key for record in found] == [link.case_id.encode() for link in made]
    return made


def drained(settings: Settings, state: Path, *arguments: object) -> dict[tuple[str, str], object]:
    file = state / "counts.parquet"
    state.mkdir(exist_ok=True)
    done = tocsin(settings, state, *ALL, "--drain", "--counts", file, *arguments)
    assert done.returncode == 0, done.stderr
    return dict(as_counts(pl.read_parquet(file)))


def decide(settings: Settings, step: int) -> None:
    worker = LinkWorker(settings)
    try:
        ends = worker.ends()
        wait_until(lambda: worker.step(200) >= 0 and worker.drained(ends), 60, f"links {step}")
    finally:
        worker.close()


def in_state(settings: Settings, folder: Path) -> Settings:
    return settings.model_copy(update={"state_dir": folder})


def test_one_patient_on_two_partitions_counts_once_and_corrections_follow(
    topics: Settings, tmp_path: Path
) -> None:
    messages, latest = stream(60, seed=4)
    messages, latest = identified(messages), identified(latest)
    send(topics, keyed(messages))
    assert drained(topics, tmp_path / "one") == recount(counted_cases(latest))
    made = links(topics)
    merged = {link.case_id: link.master_case_id for link in made if link.state == "applied"}
    assert len(merged) > 10
    partitions = {record.key: record.partition for record in records(topics, "reports")}
    assert any(partitions[one.encode()] != partitions[two.encode()] for one, two in merged.items())

    # a master is nullified: its duplicate counts; a person splits another pair
    duplicate, master = next(iter(merged.items()))
    void = report(int(master[1:]), 9, nullified=True)
    split = next(case for case in merged if case not in (duplicate, master))
    by_hand = CaseLink(
        case_id=split,
        master_case_id=merged[split],
        state=LinkState.REVERSED,
        basis=LinkBasis.MANUAL,
        decision=1,
        decided_on=date(2024, 3, 1),
        decided_by="assessor",
        reason="two patients",
    )
    send(topics, [*keyed([void]), (split.encode(), by_hand.model_dump_json().encode())])
    now = [one for one in latest if one.case_id != master]
    alone = [one for one in now if one.case_id == split]
    expected = recount([*counted_cases(one for one in now if one.case_id != split), *alone])
    assert drained(topics, tmp_path / "one") == expected
    require_contiguous(deltas(topics))

    # nothing is decided again: by a restart, by an index that was lost, by another machine
    before = links(topics)
    for number, lost in enumerate((False, True, False)):
        state = in_state(topics, tmp_path / ("links" if number < 2 else "elsewhere"))
        if lost:
            shutil.rmtree(Path(state.state_dir) / "links")
        decide(state, number)
    assert links(topics) == before
    numbers: dict[str, list[int]] = {}
    for link in before:
        if link.basis is not LinkBasis.MANUAL:
            numbers.setdefault(link.case_id, []).append(link.decision)
    assert all(decided == list(range(1, len(decided) + 1)) for decided in numbers.values())
    # and a database of before, which others have overtaken, learns before it decides
    decide(in_state(topics, tmp_path / "one"), 3)
    assert links(topics) == before


def test_a_killed_link_stage_is_replaced_without_repeated_decisions(
    topics: Settings, tmp_path: Path
) -> None:
    messages, latest = stream(80, seed=9)
    messages, latest = identified(messages), identified(latest)
    third = len(messages) // 3
    parts: Sequence[Sequence[Report]] = [
        messages[:third],
        messages[third : 2 * third],
        messages[2 * third :],
    ]
    link = ("run", "--stage", "link")
    with running(topics, tmp_path / "a", *link) as active:
        send(topics, keyed(parts[0]))
        wait_until(lambda: len(links(topics)) > 2, 45, "first links")
        active.kill()
    with running(topics, tmp_path / "b", *link) as other:
        send(topics, keyed(parts[1]))
        with running(topics, tmp_path / "a", *link) as again:
            send(topics, keyed(parts[2]))
            other.kill()
            drained(topics, tmp_path / "rest", "--stage", "all")
            again.stop()
    found = drained(topics, tmp_path / "rest")
    assert found == recount(counted_cases(latest))
    decided = [(link.case_id, link.decision) for link in links(topics)]
    assert len(decided) == len(set(decided))
