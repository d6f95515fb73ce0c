"""`tocsin link`: planted duplicates are found, and what is written can be replayed."""

import json
from datetime import date, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import polars as pl
import pytest

from benchmarks.planting import planted
from schemas.link import CaseLink
from schemas.product import Product
from schemas.report import Patient, Reaction, Report
from schemas.vocabulary import Sex
from streams.core.duplicates.probable import DEFAULT_POLICY, RECORDS, LinkagePolicy
from streams.runtime.operations.splink_scores import score_pairs
from tests.support.cli import tocsin_process

POLICY = LinkagePolicy.read(DEFAULT_POLICY)
EPOCH = date(1970, 1, 1)


def _report(row: dict[str, object]) -> Report:
    received = EPOCH + timedelta(days=int(str(row["received"])))
    onset = None if row["onset"] is None else EPOCH + timedelta(days=int(str(row["onset"])))
    return Report(
        case_id=str(row["unique_id"]),
        first_received=received,
        latest_received=received,
        patient=Patient(
            age_years=row["age"],  # type: ignore[arg-type]
            sex=Sex(row["sex"] or "unknown"),
            weight_kg=row["weight"],  # type: ignore[arg-type]
        ),
        occurrence_country=row["country"],  # type: ignore[arg-type]
        products=tuple(Product(substances=(name,)) for name in row["drugs"]),  # type: ignore[attr-defined]
        reactions=tuple(Reaction(term=name, onset=onset) for name in row["events"]),  # type: ignore[attr-defined]
    )


def _link(*arguments: object) -> CompletedProcess[str]:
    return tocsin_process("link", *arguments, seconds=200)


def test_planted_duplicates_are_found_published_and_replayed(tmp_path: Path) -> None:
    records, true = planted(600, seed=3, first_day=date(2022, 1, 1))
    source, links = tmp_path / "reports.jsonl", tmp_path / "links.jsonl"
    reports = [_report(row) for row in records.iter_rows(named=True)]
    lines = [one.model_dump_json(exclude_defaults=True) for one in reports]
    source.write_text("\n".join(lines), encoding="utf-8")
    done = _link(source, "-o", links)
    assert done.returncode == 0, done.stderr
    found = [CaseLink.model_validate_json(line) for line in links.read_text().splitlines()]
    pairs = {frozenset((link.case_id, link.master_case_id)) for link in found}
    assert len(pairs & true) / len(pairs) >= 0.95
    assert len(pairs & true) / len(true) >= 0.6
    assert {link.state.value for link in found} == {"suspected"}
    assert all(link.score and link.score >= 0.95 and "drugs" in link.agreed for link in found)

    # again, the same; with what was published already, nothing
    assert _link(source, "-o", tmp_path / "again.jsonl").returncode == 0
    assert (tmp_path / "again.jsonl").read_bytes() == links.read_bytes()
    assert _link(source, links, "-o", tmp_path / "third.jsonl").returncode == 0
    assert (tmp_path / "third.jsonl").read_bytes() == b""

    # a policy that applies them takes the cases out of the counts, a suspicion does not
    bold = tmp_path / "policy.toml"
    text = DEFAULT_POLICY.read_text(encoding="utf-8")
    bold.write_text(text.replace("# applied_from = 0.999", "applied_from = 0.95"), encoding="utf-8")
    applied = tmp_path / "applied.jsonl"
    assert _link(source, "-o", applied, "--policy", bold).returncode == 0
    totals = {}
    for name, second in (("none", None), ("suspected", links), ("applied", applied)):
        counts = tmp_path / f"{name}.parquet"
        files = [source] if second is None else [source, second]
        assert tocsin_process("replay", *files, "--counts", counts).returncode == 0
        totals[name] = pl.read_parquet(counts)["n_total"].max()
    assert totals["none"] == totals["suspected"] == records.height
    assert totals["applied"] == records.height - len(found)


def test_what_is_not_stated_speaks_for_nothing() -> None:
    rows = [
        {
            "unique_id": f"C{n:03}",
            "received": 19_000 + 40 * n,
            "drugs": [f"drug {n % 7}"],
            "events": [f"event {n % 11}"],
            "age": 40.0 + n % 50,
            "sex": ("male", "female")[n % 2],
        }
        for n in range(150)
    ]
    bare = [
        {"unique_id": name, "received": 20_000, "drugs": ["drug 0"], "events": ["event 0"]}
        for name in ("X", "Y")
    ]
    whole = {"age": 33.3, "sex": "male", "weight": 71.0, "onset": 19_990, "country": "JP"}
    for stated, least, most in (({}, 0.0, POLICY.suspected_from), (whole, 0.999, 1.0)):
        both = [one | stated for one in bare]
        pairs = score_pairs(pl.DataFrame([*rows, *both], schema=RECORDS), POLICY)
        scores = [pair.score for pair in pairs if {pair.first, pair.second} == {"X", "Y"}]
        assert least <= max(scores, default=0.0) <= most
        (pair,) = [pair for pair in pairs if {pair.first, pair.second} == {"X", "Y"}]
        assert set(pair.agreed) == {"drugs", "events", "received", *stated}
        assert pair.disagreed == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing.jsonl", "-o", "out.jsonl"), "nothing.jsonl"),
        (("reports.jsonl", "-o", "reports.jsonl"), "must be another than every source"),
        (("empty.jsonl", "-o", "out.jsonl"), "link: there must be cases to compare; got none"),
        (("reports.jsonl", "-o", "out.jsonl", "--policy", "none.toml"), "policy none.toml"),
    ],
)
def test_a_wrong_command_is_one_line(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    day = {"first_received": "2024-01-01", "latest_received": "2024-01-01"}
    (tmp_path / "reports.jsonl").write_text(json.dumps({"case_id": "A", **day}), encoding="utf-8")
    (tmp_path / "empty.jsonl").write_text("", encoding="utf-8")
    done = tocsin_process("link", *arguments, folder=tmp_path)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
