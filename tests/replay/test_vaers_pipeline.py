"""Four real years of VAERS through the command line: the recount's numbers, twice the same bytes.

The identical runs evaluate daily, the one in reverse quarterly.
"""

import csv
import io
import math
import random
import re
import statistics
import zipfile
from collections import Counter, defaultdict
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy.special import gammaincinv

from schemas.alert import Alert
from tests.support.cli import tocsin_process
from tests.support.source_file_counts import recount_vaers

pytestmark = pytest.mark.realdata

YEARS = (1990, 1991, 1992, 1993)
RULES = ("--rules", "mhra,ema,ic", "--screening", "none")


def _replay(paths: list[Path], every: str, out: Path) -> tuple[pl.DataFrame, bytes]:
    out.mkdir()
    alerts, counts = out / "alerts.jsonl", out / "counts.parquet"
    options = ("--every", every, "--alerts", alerts, "--counts", counts)
    ended = tocsin_process("replay", *paths, *RULES, *options, seconds=180)
    assert ended.returncode == 0, ended.stderr
    return pl.read_parquet(counts).drop("expected_adjusted"), alerts.read_bytes()


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


def _fires_and_stays(a: int, n_drug: int, n_event: int, total: int) -> tuple[set[str], set[str]]:
    """Which rules fire for a table, and which would stay on, by their textbook formulas."""
    b, c = n_drug - a, n_event - a
    d = total - a - b - c
    prr = math.inf if c == 0 else (a / n_drug) / (c / (total - n_drug))
    excess = max(abs(a * d - b * c) - total / 2, 0)
    chi2 = total * excess**2 / (n_drug * (c + d) * n_event * (b + d))
    ic = math.log2(gammaincinv(a + 0.5, 0.025) / (n_drug * n_event / total + 0.5))
    ror = None
    if b and c and d:
        spread = 1.959963984540054 * math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
        ror = a * d / (b * c) * math.exp(-spread)
    found = []
    for least in ((2, 4, 1, 0), (1.68, 2.71, 0.84, -0.25)):
        rules = {"mhra"} if prr >= least[0] and chi2 >= least[1] and a >= 3 else set()
        is_above = _is_above(least[2], a, b, c, d) if ror is None else ror > least[2]
        rules |= {"ema"} if is_above and a >= 5 else set()
        found.append(rules | ({"ic"} if ic > least[3] else set()))
    return found[0], found[1]


def _is_above(ratio: float, a: int, b: int, c: int, d: int) -> bool:
    """Whether the exact mid-p bound of an odds ratio that is unbounded lies above a ratio.

    It does if so many cases, or more, have a mid-p below 0.025 at that ratio, given the margins.
    """
    if d == 0 or a == 0:
        return False
    n_drug, n_event = a + b, a + c
    weights = [
        math.comb(n_drug, k) * math.comb(c + d, n_event - k) * Fraction(ratio) ** k
        for k in range(min(n_drug, n_event) + 1)
    ]
    return weights[a] / 2 + sum(weights[a + 1 :]) < Fraction("0.025") * sum(weights)


def test_at_the_end_subscribers_know_which_rules_are_on(
    forward: tuple[pl.DataFrame, bytes],
) -> None:
    last = {}
    for line in forward[1].splitlines():
        alert = Alert.model_validate_json(line)
        last[alert.drug, alert.event] = alert
    held = 0
    for _, drug, event, *cell in forward[0].iter_rows():
        fires, stays = _fires_and_stays(*cell)
        on = set(last[drug, event].rules_fired) if (drug, event) in last else set()
        assert fires <= on <= stays, (drug, event, cell)
        held += len(on - fires)
    assert held > 50, "else no exit was put to the test"


_NO_LOT = {"", "NONE", "NA", "UNK", "UNKNOWN", "NOTAVAILABLE", "NOTKNOWN", "NOTREPORTED", "NI"}


def _as_published(
    archives: list[Path],
) -> tuple[dict[str, dict[str, str]], dict[str, set[str]], dict[str, set[str]]]:
    """Return the DATA rows by case id, which vaccines of a case have a lot, and its versions."""
    rows: dict[str, dict[str, str]] = {}
    lots: dict[str, set[str]] = defaultdict(set)
    versions: dict[str, set[str]] = defaultdict(set)
    for path in archives:
        with zipfile.ZipFile(path) as zipped:
            for name in zipped.namelist():
                text = io.TextIOWrapper(zipped.open(name), encoding="latin-1", newline="")
                for row in csv.DictReader(text):
                    case_id = f"VAERS-{int(row['VAERS_ID'])}"
                    if name.upper().endswith("DATA.CSV"):
                        rows[case_id] = row
                    elif name.upper().endswith("VAX.CSV"):
                        lot = re.sub("[^A-Z0-9]", "", row["VAX_LOT"].upper())
                        if lot not in _NO_LOT:
                            lots[case_id].add(row["VAX_TYPE"].strip())
                    else:
                        stated = [row[f"SYMPTOMVERSION{n}"] for n in "12345" if row[f"SYMPTOM{n}"]]
                        versions[case_id].update(f"MedDRA {version}" for version in stated)
    return rows, lots, versions


def _day(text: str) -> date | None:
    return datetime.strptime(text, "%m/%d/%Y").date() if text else None  # noqa: DTZ007


def test_patients_onsets_and_lots_are_those_of_the_published_rows(
    forward: tuple[pl.DataFrame, bytes], archives: list[Path]
) -> None:
    rows, lots, versions = _as_published(archives)
    lines = forward[1].splitlines()
    several = late = 0
    for alert in map(Alert.model_validate_json, random.Random(5).sample(lines, 400)):
        if alert.counts.n_observed > len(alert.case_ids):
            continue
        cases = [rows[case_id] for case_id in alert.case_ids]
        assert alert.patients is not None
        sexes = Counter(row["SEX"].strip() for row in cases)
        assert (alert.patients.female, alert.patients.male) == (sexes["F"], sexes["M"])
        assert alert.patients.sex_unknown == len(cases) - sexes["F"] - sexes["M"]
        assert alert.n_life_threatening == sum(row["L_THREAT"] == "Y" for row in cases)
        assert alert.n_missing_lot == sum(alert.drug not in lots[one] for one in alert.case_ids)
        named = set[str]().union(*(versions[one] for one in alert.case_ids))
        assert alert.dictionary_versions == tuple(sorted(named))
        assert (alert.n_stating_dechallenge, alert.n_stating_rechallenge) == (0, 0)
        days = []
        waits = []
        for row in cases:
            onset, given = _day(row["ONSET_DATE"].strip()), _day(row["VAX_DATE"].strip())
            received = _day(row["RECVDATE"].strip())
            if onset and received:
                waits.append((received - onset).days)
            if onset and given:
                days.append((onset - given).days)
        late += sum(wait > 90 for wait in waits)
        assert alert.n_stating_onset == len(waits)
        assert alert.n_late == sum(wait > 90 for wait in waits)
        after = [day for day in days if day >= 0]
        if len(after) < 2:
            continue
        several += 1
        found = alert.time_to_onset
        assert found is not None
        assert (found.n, found.n_before) == (len(after), len(days) - len(after))
        assert [found.lower_quartile, found.median, found.upper_quartile] == statistics.quantiles(
            after, n=4, method="inclusive"
        )
    assert several > 300
    assert late > 1_000, "else lateness was hardly put to the test"
