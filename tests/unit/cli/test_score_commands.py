"""`tocsin score`: statistics of a table, and the tables that are refused."""

from pathlib import Path

import polars as pl
import pytest

from tests.support.cli import Run, require_refused

ROW = {"drug": "A", "event": "x", "n_observed": 3, "n_drug": 20, "n_event": 100, "n_total": 10_000}


@pytest.fixture
def folder(run: Run, tmp_path: Path) -> Path:
    """The folder in which commands run, with a file of the counts of one pair."""
    pl.DataFrame([ROW]).write_parquet(tmp_path / "counts.parquet")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("score none.parquet -o out.parquet", "none.parquet: must be a readable parquet file; got"),
        ("score notes.txt -o out.parquet", "notes.txt: must be a readable parquet file; got "),
        ("score narrow.parquet -o out.parquet", "narrow.parquet: must have the columns ['drug', "),
        ("score impossible.parquet -o out.parquet", "score: 0 <= n_observed <= min(n_drug, n_eve"),
        ("score text.parquet -o out.parquet", "score: n_drug must be an integer count of cases; "),
        ("score twice.parquet -o out.parquet", "score: a pair must stand in one row; 2 of 2 rows"),
        ("score counts.parquet -o no/out.parquet", "no/out.parquet: the folder to write into "),
        (
            "score counts.parquet -o out.parquet --methods fdr --hypotheses 0",
            "false_discovery: n_hypotheses must be at least the 1 rows of the table; got 0",
        ),
        (
            "score counts.parquet -o out.parquet --hypotheses 9",
            "score: n_hypotheses is for the methods ['fdr']; got 9 without them",
        ),
        ("score counts.parquet -o out.parquet --methods zeta", "score: methods must be among "),
    ],
)
def test_a_bad_table_ends_with_2_and_one_line(
    arguments: str, line: str, run: Run, folder: Path
) -> None:
    (folder / "notes.txt").write_text("hello", encoding="utf-8")
    frame = pl.DataFrame([ROW])
    frame.drop("n_total").write_parquet(folder / "narrow.parquet")
    frame.with_columns(n_drug=pl.lit("20")).write_parquet(folder / "text.parquet")
    frame.with_columns(n_observed=pl.lit(21)).write_parquet(folder / "impossible.parquet")
    pl.concat([frame, frame]).write_parquet(folder / "twice.parquet")
    require_refused(run(arguments), line)


def test_scores_make_the_round_trip(run: Run, folder: Path) -> None:
    ended = run("score counts.parquet -o out.parquet --methods 'prr, ic'")
    assert (ended.code, "1 pairs scored" in ended.out) == (0, True)
    scored = pl.read_parquet(folder / "out.parquet")
    assert list(scored.schema)[: len(ROW)] == list(ROW)
    # (3 / 20) / (97 / 9980)
    assert scored["prr"].item() == pytest.approx(3 / 20 / (97 / 9980), rel=1e-12)
    assert "ror" not in scored.columns


def test_the_family_of_hypotheses_is_stated(run: Run, folder: Path) -> None:
    run("score counts.parquet -o alone.parquet --methods fdr")
    run("score counts.parquet -o many.parquet --methods fdr --hypotheses 50")
    alone, many = (
        pl.read_parquet(folder / f"{name}.parquet")["fisher_mid_p_bh"].item()
        for name in ("alone", "many")
    )
    assert many == pytest.approx(50 * alone, rel=1e-12)
