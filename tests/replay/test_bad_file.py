"""Ten thousand lines, 37 of them broken: every good one is counted, every broken one is kept."""

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.support.cli import tocsin_process

LINES = 10_000
SECRET = "Mrs-Jane-Roe"
"""Stands in the values of broken reports; no reason may repeat it."""


def _line(case_id: str = "X", /, **changes: Any) -> bytes:
    report: dict[str, Any] = {
        "case_id": case_id,
        "first_received": "2024-01-31",
        "latest_received": "2024-01-31",
        "products": [{"substances": ["zinc"], "verbatim": SECRET}],
        "reactions": [{"term": "Rash"}],
    }
    report |= changes
    return json.dumps({key: value for key, value in report.items() if value != "absent"}).encode()


# Each broken line, and how its reason begins.
BROKEN: list[tuple[bytes, str]] = [
    (b"{", "report: Invalid JSON"),
    (b"not json at all " + SECRET.encode(), "report: Invalid JSON"),
    (_line()[:-1], "report: Invalid JSON"),
    (_line() + b",", "report: Invalid JSON"),
    (_line() + _line(), "report: Invalid JSON"),
    (b"'" + _line() + b"'", "report: Invalid JSON"),
    (b"\x00" * 40, "report: Invalid JSON"),
    (b"[" * 50_000, "report: Invalid JSON"),
    (_line().replace(b"Rash", b"Ra\xffsh"), "report: Invalid JSON"),
    (_line().replace(b"Rash", b"Ra\xc3"), "report: Invalid JSON"),
    (_line().replace(b"Rash", b"\\ud800"), "report: Invalid JSON"),
    (b"\xff\xfe" + SECRET.encode("utf-16-le"), "report: Invalid JSON"),
    (b"null", "report: Input should be an object"),
    (b"[]", "report: Input should be an object"),
    (b"7", "report: Input should be an object"),
    (json.dumps(SECRET).encode(), "report: Input should be an object"),
    (b"{}", "case_id: Field required (and 2 more)"),
    (_line(case_id="absent"), "case_id: Field required"),
    (_line(first_received="absent"), "first_received: Field required"),
    (_line(case_id=""), "case_id: String should have at least 1"),
    (_line(case_id=17), "case_id: Input should be a valid string"),
    (_line(case_id=SECRET * 50), "case_id: String should have at most 200"),
    (_line(version="1"), "version: Input should be a valid integer"),
    (_line(version=1.5), "version: Input should be a valid integer"),
    (_line(version=-1), "version: Input should be greater than or equal to 0"),
    (_line(version=2**31), "version: Input should be less than or equal to"),
    (_line(first_received="2024-02-30"), "first_received: Input should be a valid date"),
    (_line(first_received="31/01/2024"), "first_received: Input should be a valid date"),
    (_line(first_received=SECRET), "first_received: Input should be a valid date"),
    (_line(first_received=20240131), "first_received: Input should be a valid date"),
    (_line(latest_received="2023-12-31"), "report: latest_received must not be"),
    (_line(latest_received="2999-01-01"), "latest_received: must not lie in the future"),
    (_line(products=SECRET), "products: Input should be a valid array"),
    (_line(reactions=[{"term": None, "verbatim": SECRET}]), "reactions.0.term: Input should be"),
    (_line(patient={"sex": SECRET}), "patient.sex: Input should be 'female'"),
    (_line(comment=SECRET), "report: holds a field that the schema does not know"),
    (_line(reporter={"kind": "media"}, padding="x" * 1_010_000), "report: at most 1000000 bytes"),
]


@pytest.fixture(scope="module")
def broken_at() -> Mapping[int, tuple[bytes, str]]:
    """Line number of each broken line: spread over the file, the first and last among them."""
    step = (LINES - 1) / (len(BROKEN) - 1)
    return {1 + round(number * step): each for number, each in enumerate(BROKEN)}


@pytest.fixture(scope="module")
def folder(
    broken_at: Mapping[int, tuple[bytes, str]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    with (folder / "reports.jsonl").open("wb") as out:
        for number in range(1, LINES + 1):
            raw = broken_at[number][0] if number in broken_at else _line(f"case {number}")
            out.write(raw + b"\n")
    options = ("--rejects", "rejects.jsonl", "--counts", "counts.parquet", "--every", "1d")
    ended = tocsin_process("replay", "reports.jsonl", *options, folder=folder)
    (folder / "output").write_text(ended.stdout + ended.stderr, encoding="utf-8")
    assert ended.returncode == 0, ended.stderr
    return folder


@pytest.fixture(scope="module")
def rejects(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_there_are_thirty_seven(broken_at: Mapping[int, tuple[bytes, str]]) -> None:
    assert (len(BROKEN), len(broken_at), max(broken_at)) == (37, 37, LINES)


def test_every_good_line_is_counted(folder: Path) -> None:
    counts = pl.read_parquet(folder / "counts.parquet")
    good = LINES - len(BROKEN)
    assert counts.rows() == [("cumulative", "zinc", "Rash", good, good, good, good, good)]
    output = (folder / "output").read_text(encoding="utf-8")
    assert re.search(r"cases counted\W+9,963\b", output)
    assert re.search(r"rejected\W+37\b", output)


def test_every_broken_line_is_kept_whole_in_its_place(
    rejects: list[dict[str, Any]], broken_at: Mapping[int, tuple[bytes, str]]
) -> None:
    assert [reject["position"] for reject in rejects] == sorted(broken_at)
    for reject in rejects:
        raw, reason = broken_at[reject["position"]]
        kept = base64.b64decode(reject["raw"].replace("-", "+").replace("_", "/"))
        assert kept == raw
        assert reject["reason"].startswith(reason)
        assert reject["source"] == "reports.jsonl"


def test_no_reason_quotes_the_report(rejects: list[dict[str, Any]]) -> None:
    for reject in rejects:
        assert SECRET not in reject["reason"]
        assert "\n" not in reject["reason"]
        assert len(reject["reason"]) < 200
