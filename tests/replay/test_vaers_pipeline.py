"""Four real years of VAERS through the command line: the recount's numbers, twice the same bytes.

The identical runs evaluate daily, the one in reverse quarterly.
"""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from schemas.alert import Alert
from tests.recounts import recount_vaers

pytestmark = pytest.mark.realdata

YEARS = (1990, 1991, 1992, 1993)


def _replay(paths: list[Path], every: str, out: Path) -> tuple[pl.DataFrame, bytes]:
    out.mkdir()
    alerts, counts = out / "alerts.jsonl", out / "counts.parquet"
    command = [sys.executable, "-c", "from streams.cli import main; main()", "replay"]
    ended = subprocess.run(
        [*command, *paths, "--every", every, "--alerts", alerts, "--counts", counts],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return pl.read_parquet(counts), alerts.read_bytes()


@pytest.fixture(scope="module")
def archives(real_data: Path) -> list[Path]:
    return [real_data / "vaers" / f"{year}VAERSData.zip" for year in YEARS]


@pytest.fixture(scope="module")
def forward(
    archives: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[pl.DataFrame, bytes]:
    return _replay(archives, "1d", tmp_path_factory.mktemp("vaers") / "forward")


def test_every_count_equals_the_recount(
    forward: tuple[pl.DataFrame, bytes], archives: list[Path]
) -> None:
    counts = {(drug, event): tuple(cell) for _, drug, event, *cell in forward[0].iter_rows()}
    assert len(counts) == forward[0].height
    assert counts == recount_vaers(*archives)
    assert forward[0]["window"].unique().to_list() == ["cumulative"]


def test_a_second_run_gives_the_same_bytes(
    forward: tuple[pl.DataFrame, bytes], archives: list[Path], tmp_path: Path
) -> None:
    counts, alerts = _replay(archives, "1d", tmp_path / "again")
    assert alerts == forward[1]
    assert_frame_equal(counts, forward[0])


def test_the_files_in_reverse_give_the_same_counts(
    forward: tuple[pl.DataFrame, bytes], archives: list[Path], tmp_path: Path
) -> None:
    counts, _ = _replay(archives[::-1], "90d", tmp_path / "reverse")
    assert_frame_equal(counts, forward[0])


def test_revisions_follow_one_another_and_the_last_ones_hold(
    forward: tuple[pl.DataFrame, bytes],
) -> None:
    counts = {(drug, event): cell for _, drug, event, *cell in forward[0].iter_rows()}
    latest: dict[str, Alert] = {}
    ids = set()
    for line in forward[1].splitlines():
        alert = Alert.model_validate_json(line)
        before = latest.get(alert.signal_key)
        assert alert.revision == (1 if before is None else before.revision + 1)
        assert alert.counts.n_total <= counts[alert.drug, alert.event][3]
        ids.add(alert.alert_id)
        latest[alert.signal_key] = alert
    assert len(ids) == len(forward[1].splitlines()) > len(latest) > 0
