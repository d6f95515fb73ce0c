"""No report costs as much as a thousand others: its parts and texts have limits, by any path."""

import json
from typing import Any

import pytest

from schemas.errors import IcsrError, RejectCode
from schemas.report import Report
from schemas.report_limits import (
    LONGEST_SUBSTANCE,
    MOST_LOTS,
    MOST_REACTIONS,
    MOST_SUBSTANCES,
    MOST_TEXT,
)
from streams.intake.fast_path import decode_fast
from streams.intake.native import decode_report


def raw(products: list[dict[str, Any]], n_reactions: int = 1, verbatim: str = "") -> bytes:
    reactions = [{"term": f"T{number}", "verbatim": verbatim} for number in range(n_reactions)]
    report = {"case_id": "A", "first_received": "2024-02-28", "latest_received": "2024-02-29"}
    return json.dumps(report | {"products": products, "reactions": reactions}).encode()


def lots(number: int) -> list[dict[str, Any]]:
    """Products of so many lots, each of them named in two ways that are one lot."""
    return [{"lot": lot} for each in range(number) for lot in (f"EX-{each}", f"ex {each}")]


def substances(number: int) -> list[dict[str, Any]]:
    """Products of so many substances, each of them named by two products."""
    names = [f"S{each}" for each in range(number)] * 2
    return [{"substances": names[start : start + 200]} for start in range(0, len(names), 200)]


LONG = "x" * 2_000
TEXT = [{"verbatim": LONG, "indication_verbatim": LONG}] * 62  # 248,000 characters

ASSESSED = [{"reaction": "x" * 500, "result": "x" * 200}] * 2

WITHIN = [
    raw(lots(MOST_LOTS)),
    raw([{"substances": ["zinc"], "lot": "unknown"}] * 1_000),
    raw(substances(MOST_SUBSTANCES)),
    raw([{"substances": ["x" * LONGEST_SUBSTANCE]}]),
    raw([], MOST_REACTIONS),
    raw([*TEXT, {"verbatim": "x" * 1_998}]),
    raw([*TEXT, {"verbatim": "x" * 598, "relatedness": ASSESSED}]),
]
BEYOND = [
    (raw(lots(101)), f"at most {MOST_LOTS} different lots are read; got 101"),
    (raw(substances(501)), f"at most {MOST_SUBSTANCES} different substances are read; got 501"),
    (
        raw([{"substances": ["zinc", "x" * 1_001]}]),
        f"a substance must have at most {LONGEST_SUBSTANCE} characters; got 1001",
    ),
    (raw([], 501), f"at most {MOST_REACTIONS} reactions are read; got 501"),
    (
        raw([*TEXT, {"verbatim": "x" * 599, "relatedness": ASSESSED}]),
        f"products and reactions must have at most {MOST_TEXT} characters; got 250001",
    ),
    (
        raw([*TEXT, {"verbatim": "x" * 1_999}]),
        f"products and reactions must have at most {MOST_TEXT} characters; got 250001",
    ),
    (
        raw([], 125, LONG),
        f"products and reactions must have at most {MOST_TEXT} characters; got 250390",
    ),
    (raw([{"substances": ["x" * 1_000] * 200}, *TEXT[:13]]), "got 252002"),
]


@pytest.mark.parametrize("message", WITHIN)
def test_a_report_within_the_limits_is_read(message: bytes) -> None:
    assert decode_fast(message) is not None
    assert decode_report(message).case_id == "A"
    assert Report.model_validate_json(message).case_id == "A"


@pytest.mark.parametrize(("message", "reason"), BEYOND)
def test_a_report_beyond_a_limit_is_refused_by_its_name(message: bytes, reason: str) -> None:
    assert decode_fast(message) is None
    with pytest.raises(IcsrError) as raised:
        decode_report(message)
    assert str(raised.value).startswith("report: ")
    assert str(raised.value).endswith(reason)
    assert raised.value.code is RejectCode.TOO_LONG
