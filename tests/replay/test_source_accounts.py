"""Every report file that is at hand is read whole, and no row of it is unexplained.

The rows are counted here by code that shares nothing with the intake.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from streams.runtime.operations.source_account import SourceAccount, account_of

HORIZON = date(2026, 12, 31)
YEARS = range(1990, 2000)


def _members(path: Path, pattern: str) -> Iterator[str]:
    with zipfile.ZipFile(path) as zipped:
        for name in zipped.namelist():
            if re.search(pattern, name, re.IGNORECASE):
                yield zipped.read(name).decode("latin-1")


def _account(path: Path) -> SourceAccount:
    account = account_of(path, horizon=HORIZON)
    assert account.unexplained == 0
    return account


@pytest.mark.parametrize("year", YEARS)
def test_every_row_of_vaers_is_explained(year: int, real_data: Path) -> None:
    path = real_data / "vaers" / f"{year}VAERSData.zip"
    records = [list(csv.reader(io.StringIO(text))) for text in _members(path, r"VAERSDATA\.csv$")]
    account = _account(path)
    assert account.source_format == "vaers"
    assert account.rows == sum(len(rows) - 1 for rows in records) > 2_000
    assert (account.rejected, account.others_rejected) == (0, 0)


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("aers_ascii_2004q1.zip", 0),
        ("faers_ascii_2017q2.zip", 0),
        ("faers_real_sample_2026q2.zip", 68),  # of reports that the sample left out
    ],
)
def test_every_row_of_faers_is_explained(name: str, others: int, real_data: Path) -> None:
    path = real_data / "faers" / name
    demo = [text.splitlines() for text in _members(path, r"DEMO\w*\.txt$")]
    deleted = [text.split() for text in _members(path, r"DELE\w*\.txt$")]
    account = _account(path)
    assert account.rows == sum(len(rows) - 1 for rows in demo) + sum(map(len, deleted)) >= 49
    assert (account.rejected, account.others_rejected) == (0, others)


@pytest.mark.parametrize(
    ("name", "known", "counted", "excluded"),
    [
        ("openfda/event.postannotation.json", "openfda", 1, {}),
        ("maude/wide_sample.json", "maude", 0, {"no_reaction": 1}),
    ],
)
def test_every_event_of_a_document_is_explained(
    name: str, known: str, counted: int, excluded: dict[str, int], real_data: Path
) -> None:
    account = _account(real_data / name)
    assert (account.source_format, account.rows, account.rejected) == (known, 1, 0)
    assert (account.counted, account.excluded) == (counted, excluded)


@pytest.mark.parametrize(
    "path",
    [
        "e2b_r3/FAERS2022Scenario1.xml",
        "e2b_r3/FAERS2022Scenario2.xml",
        "e2b_r3/FAERS2022Scenario6.xml",
    ],
)
def test_every_message_of_e2b_is_explained(path: str, real_data: Path) -> None:
    text = (real_data / path).read_text(encoding="utf-8")
    account = _account(real_data / path)
    assert account.source_format == "e2b"
    assert account.rows == len(re.findall(r"<PORR_IN049016UV[\s>]", text)) > 0
