"""Follow-ups, amendments and nullifications of E2B correct and retract, in any order of arrival."""

from collections.abc import Mapping
from datetime import date
from itertools import permutations
from pathlib import Path

import polars as pl
import pytest

from schemas.product import Product
from schemas.report import Revision
from schemas.vocabulary import RevisionKind
from tests.support import e2b_r2, e2b_r3
from tests.support.cli import Run

BEFORE, AFTER = date(2024, 1, 5), date(2024, 2, 1)
FIELDS = e2b_r2.FIELDS


def r2(*, drug: str, **changed: str) -> str:
    drugs = (e2b_r2.DRUG | {"medicinalproduct": drug},)
    return e2b_r2.message_of(FIELDS | changed, drugs=drugs, substances=())


def r3(
    *,
    drug: str,
    latest: date = BEFORE,
    kind: RevisionKind | None = None,
    created: str = "20240106101500+0900",
) -> str:
    report = e2b_r3.REPORT.model_copy(
        update={
            "products": (Product(verbatim=drug),),
            "latest_received": latest,
            "revision": kind and Revision(kind=kind, reason="a reason"),
        }
    )
    return e2b_r3.message_of(report, created=created)


INITIAL = {2: r2(drug="OLD"), 3: r3(drug="OLD")}
CORRECTIONS: Mapping[str, dict[int, str]] = {
    "follow-up": {
        2: r2(drug="NEW", safetyreportversion="2", receiptdate="20240201"),
        3: r3(drug="NEW", latest=AFTER),
    },
    "amendment": {
        2: r2(
            drug="NEW",
            safetyreportversion="2",
            casenullification="2",
            nullificationreason="typing error",
        ),
        3: r3(drug="NEW", kind=RevisionKind.AMENDMENT, created="20240107000000+0000"),
    },
    "nullification": {
        2: r2(
            drug="NEW",
            safetyreportversion="2",
            receiptdate="20240201",
            casenullification="1",
            nullificationreason="entered twice",
        ),
        3: r3(drug="NEW", latest=AFTER, kind=RevisionKind.NULLIFICATION),
    },
}
COUNTED = {"follow-up": {"NEW": 1}, "amendment": {"NEW": 1}, "nullification": {}}


def batch(release: int, *messages: str) -> bytes:
    return e2b_r2.batch_of(messages) if release == 2 else e2b_r3.batch_of(messages)


def counted(run: Run, folder: Path, *names: str) -> dict[str, int]:
    ended = run(f"replay {' '.join(names)} --counts counts.parquet")
    assert ended.code == 0, ended.err
    table = pl.read_parquet(folder / "counts.parquet").filter(pl.col("n_observed") > 0)
    return dict(table.select("drug", "n_observed").rows())


@pytest.mark.parametrize("release", [2, 3])
@pytest.mark.parametrize("kind", CORRECTIONS)
def test_a_correction_replaces_or_voids_the_case(
    kind: str, release: int, run: Run, tmp_path: Path
) -> None:
    messages = INITIAL[release], CORRECTIONS[kind][release]
    for number, message in enumerate(messages, start=1):
        (tmp_path / f"{number}.xml").write_bytes(batch(release, message))
    assert counted(run, tmp_path, "1.xml") == {"OLD": 1}
    for names in permutations(("1.xml", "2.xml", "1.xml")):
        assert counted(run, tmp_path, *names) == COUNTED[kind]


@pytest.mark.parametrize("kind", CORRECTIONS)
def test_a_sender_may_change_the_release_within_a_case(kind: str, run: Run, tmp_path: Path) -> None:
    for number, (first, second) in enumerate(((2, 3), (3, 2))):
        one, two = f"{number}_1.xml", f"{number}_2.xml"
        (tmp_path / one).write_bytes(batch(first, INITIAL[first]))
        (tmp_path / two).write_bytes(batch(second, CORRECTIONS[kind][second]))
        assert counted(run, tmp_path, two, one) == COUNTED[kind]


def test_a_message_that_is_sent_again_is_repeated(run: Run, tmp_path: Path) -> None:
    again = r3(drug="OLD", created="20240301000000+0000").replace('"M1"', '"M2"')
    (tmp_path / "batch.xml").write_bytes(batch(3, INITIAL[3], again, INITIAL[3]))
    ended = run("replay batch.xml")
    rows = dict(row for row in ended.rows() if len(row) == 2)
    assert (rows["messages read"], rows["repeated"], rows["cases counted"]) == ("3", "2", "1")


def test_a_run_counts_what_came_in_and_what_was_lost(run: Run, tmp_path: Path) -> None:
    bad = INITIAL[3].replace('<availabilityTime value="20240105"/>', "")
    abroad = INITIAL[3].replace('<code code="DE"/>', '<code code="eu"/>')
    (tmp_path / "batch.xml").write_bytes(batch(3, bad, abroad))
    ended = run("replay batch.xml --rejects rejects.jsonl")
    rows = dict(row for row in ended.rows() if len(row) == 2)
    assert (rows["messages read"], rows["rejected"], rows["cases counted"]) == ("1", "1", "1")
    assert rows["values that a report cannot carry"] == "2"
    assert (rows["E.i.9 'eu'"], rows["C.2.r.3 'eu'"]) == ("1", "1")
    assert '"position":1,"reason":"C.1.5: must be a day' in (tmp_path / "rejects.jsonl").read_text()
