"""No report that names a field twice is read, wherever it does so and however it is written."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import IcsrError, RejectCode
from schemas.report import Report
from streams.intake.fast_path import may_hold_duplicates
from streams.intake.native import decode_report

Pairs = list[tuple[str, Any]]
"""An object as its fields in order; one may stand twice."""

TEXTS = st.sampled_from(
    ["a", "case_id", '"term":', '","case_id":"', ":", "a: b", "\\", '\\"', "{", "é", "日本", "\x7f"]
)
SPACES = st.sampled_from(["", "", " ", "\t", " \n ", "\r"])


def _pairs(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Pairs]:
    """Draw an object whose fields, now and then, include one again."""
    named = st.fixed_dictionaries({}, optional=fields).map(lambda found: list(found.items()))
    again = st.one_of(st.none(), st.none(), *(st.tuples(st.just(k), v) for k, v in fields.items()))
    return st.builds(_with, named, again, st.integers(0, 3))


def _with(pairs: Pairs, again: tuple[str, Any] | None, at: int) -> Pairs:
    return pairs if again is None else [*pairs[:at], again, *pairs[at:]]


DAYS = st.just("2024-02-29")
FACILITIES = _pairs(facility_id=TEXTS, name=TEXTS, country=st.just("JP"))
PRODUCTS = _pairs(
    substances=st.lists(TEXTS, max_size=2), verbatim=TEXTS, lot=TEXTS, facility=FACILITIES
)
REPORTS = _pairs(
    version=st.integers(0, 2),
    sender=st.one_of(TEXTS, st.none()),
    patient=_pairs(age_years=st.sampled_from([1.5, 40, None]), sex=st.just("female")),
    products=st.lists(PRODUCTS, max_size=3),
    reactions=st.lists(_pairs(term=TEXTS, verbatim=TEXTS, onset=DAYS), max_size=3),
    other_ids=st.lists(_pairs(source=TEXTS, case_id=TEXTS), max_size=2),
    revision=st.one_of(_pairs(kind=st.just("amendment"), reason=TEXTS), st.none()),
).map(
    lambda rest: (
        [
            ("case_id", "A"),
            ("first_received", "2024-02-29"),
            *rest,
            ("latest_received", "2024-02-29"),
        ]
    )
)


def _is_object(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], tuple)


def _is_twice(value: Any) -> bool:
    """Look for a field that stands twice, object by object."""
    if _is_object(value):
        names = [name for name, _ in value]
        return len(set(names)) < len(names) or any(_is_twice(held) for _, held in value)
    return isinstance(value, list) and any(map(_is_twice, value))


def _text(draw: Any, value: Any) -> str:
    """Write a value with spaces and escapes where JSON allows them."""
    if _is_object(value):
        fields = [
            f"{draw(SPACES)}{_string(draw, name)}{draw(SPACES)}:{draw(SPACES)}{_text(draw, held)}"
            for name, held in value
        ]
        return "{" + ",".join(fields) + draw(SPACES) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_text(draw, held) for held in value) + draw(SPACES) + "]"
    return _string(draw, value) if isinstance(value, str) else json.dumps(value)


def _string(draw: Any, text: str) -> str:
    how = draw(st.integers(0, 3))
    if how == 0 and text:
        at = draw(st.integers(0, len(text) - 1))
        escaped = "".join(f"\\u{ord(c):04x}" if i == at else json.dumps(c)[1:-1]
                          for i, c in enumerate(text))  # fmt: skip
        return f'"{escaped}"'
    return json.dumps(text, ensure_ascii=how == 1)


@st.composite
def _messages(draw: Any) -> tuple[bytes, bool]:
    report = draw(REPORTS)
    return _text(draw, report).encode(), _is_twice(report)


@settings(max_examples=1500)
@given(_messages())
def test_a_report_is_read_if_and_only_if_it_holds_no_field_twice(
    message: tuple[bytes, bool],
) -> None:
    raw, twice = message
    try:
        Report.model_validate_json(raw)
    except ValueError:
        return  # an empty object, which is written as a list
    if not twice:
        assert decode_report(raw).case_id == "A"
        return
    assert may_hold_duplicates(raw), "the cheap check never misses one"
    with pytest.raises(IcsrError, match=r"^report: holds the field '\w+' twice$") as refused:
        decode_report(raw)
    assert refused.value.code is RejectCode.DUPLICATE_FIELD
