"""The fast path accepts no report that the model refuses, and gives equal values."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.errors import IcsrError
from schemas.product import Preparation
from schemas.report import Report
from streams.core.cases.from_report import case_version
from streams.intake.fast_path import decode_fast
from streams.intake.native import decode_report

TEXT = st.sampled_from(["", " ", "zinc", "ＥＸ", "x" * 201, "Rash\x1f"])
ODD = st.sampled_from([None, 1, -1, 1.5, True, "1", [], {}, "suspect", "US", "2024-02-30"])


def _maybe(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(good, good, good, ODD)


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={name: _maybe(one) for name, one in fields.items()})


DAYS = st.sampled_from(["2024-02-28", "2024-02-29", "1899-12-31", "2024-03-01"])
PRODUCTS = _some(
    substances=st.lists(TEXT, max_size=3),
    product_class=TEXT,
    verbatim=TEXT,
    role=st.sampled_from(["suspect", "interacting", "concomitant", "nonsense"]),
    volume_ml=st.sampled_from([0, 1.5, -1]),
    indication=TEXT,
    dose=TEXT,
    first_given=DAYS,
    facility=_some(facility_id=TEXT, country=st.sampled_from(["JP", "jp"])),
    unknown=st.none(),
)
REACTIONS = _some(term=TEXT, outcome=st.sampled_from(["fatal", "recovered", "dead"]), onset=DAYS)
REPORTS = st.builds(
    lambda required, rest: {**rest, **required},
    st.fixed_dictionaries(
        {"case_id": st.just("A"), "first_received": DAYS, "latest_received": DAYS}
    ),
    _some(
        case_id=TEXT,
        version=st.integers(-1, 3),
        message_id=TEXT,
        revision=_some(kind=st.sampled_from(["nullification", "amendment"]), reason=TEXT),
        reporter=_some(
            country=st.sampled_from(["US", "us"]),
            qualification=st.sampled_from(["physician", "consumer", "nobody"]),
            kind=st.sampled_from(["patient", "unknown"]),
        ),
        sender=TEXT,
        report_type=st.sampled_from(["study", "unknown"]),
        occurrence_country=st.sampled_from(["JP", "Japan"]),
        patient=_some(
            age_years=st.sampled_from([0, 40.5, 151]),
            age_group=st.sampled_from(["adult", "old"]),
            sex=st.sampled_from(["female", "f"]),
        ),
        products=st.lists(PRODUCTS, max_size=3),
        reactions=st.lists(REACTIONS, max_size=3),
        seriousness=st.lists(st.sampled_from(["death", "hospitalisation", "bad"]), max_size=2),
        verification=st.sampled_from(["rumour", "valid_icsr", "hcp_confirmed", "true"]),
        links=st.lists(_some(kind=st.just("duplicate_of"), case_id=TEXT), max_size=1),
        schema_version=st.sampled_from(["1.0", "2.0"]),
        occurrence_subdivision=st.sampled_from(["US-CA", "US", "US-CALIFORNIA"]),
        release=_some(
            scope=st.sampled_from(["vaers/2021", "", "x" * 101]),
            released_on=st.sampled_from(["2024-02-28", "1970-01-01", "1970-01-02"]),
        ),
        unknown=st.none(),
    ),
)


def _same(read: Any, model: Any) -> bool:
    if isinstance(read, msgspec.Struct):
        names = type(model).model_fields
        return all(_same(getattr(read, name), getattr(model, name)) for name in names)
    if isinstance(read, tuple):
        return len(read) == len(model) and all(map(_same, read, model))
    return type(read) is type(model) and read == model


def _check_paths(raw: bytes) -> bool:
    """Compare the fast path with the model; return whether it accepted the message."""
    try:
        model = Report.model_validate_json(raw)
    except ValidationError:
        assert decode_fast(raw) is None
        with pytest.raises(IcsrError):
            decode_report(raw)
        return False
    report = decode_report(raw)
    assert _same(report, model)
    assert case_version(report) == case_version(model)
    return isinstance(report, msgspec.Struct)


@settings(max_examples=1500)
@given(REPORTS)
def test_both_paths_give_the_same_verdict_and_the_same_version(report: dict[str, Any]) -> None:
    _check_paths(json.dumps(report).encode())


WHOLE: dict[str, Any] = {
    "case_id": "日本 A",
    "version": 2,
    "sender": '\U0001f600 \u00e9 " \\ \n',
    "first_received": "2024-02-28",
    "latest_received": "2024-02-29",
    "patient": {"age_years": 40.5, "sex": "female", "weight_kg": 5e-1},
    "occurrence_country": "JP",
    "products": [{"substances": ["zinc", "iron"], "volume_ml": 1.5e2}, {"verbatim": "Ｚｎ"}],
    "reactions": [{"term": "Rash", "outcome": "fatal", "onset": "2024-02-28", "onset_days": 10}],
    "seriousness": ["death"],
    "release": {"scope": "vaers/2024", "released_on": "2024-03-01"},
}
FRAGMENTS = st.sampled_from(
    [
        *(
            bytes([byte])
            for byte in b'{}[]",:\\/0123456789.-+eEtfnu \t\r\n\x00\x1f\x7f\xff\xc3\xa9\xed'
        ),
        *(b"null", b"true", b"NaN", b"Infinity", b"-0", b"0.0", b"1e999", b"1e-999", b"01", b"1."),
        *(b"\\ud800", b"\\ude00", b"\\ud83d\\ude00", b"\\u0000", b"\\x", b"\\/", b"\xed\xa0\x80"),
        *(
            b'"version":3,',
            b'"version":"3",',
            b'"patient":{},',
            b'"\\u0073ender":"x",',
            b"\xef\xbb\xbf",
        ),
        *(b'"case_id":"B",', b'"odd":1,', b"99999999999999999999", b"2024-02-30", b"/**/"),
    ]
)
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 8), st.one_of(st.just(b""), FRAGMENTS)), max_size=3
)


@settings(max_examples=3000)
@given(edits=EDITS, escaped=st.booleans())
@example(edits=[], escaped=False)
def test_both_paths_agree_on_damaged_bytes(
    edits: list[tuple[float, int, bytes]], escaped: bool
) -> None:
    raw = json.dumps(WHOLE, ensure_ascii=escaped).encode()
    for place, cut, put in edits:
        at = int(place * len(raw))
        raw = raw[:at] + put + raw[at + cut :]
    assert _check_paths(raw) or edits


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema


def _nodes(schema: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every place of a report and what may stand there, from the published JSON Schema."""
    schema = _resolved(schema)
    yield path, schema
    for choice in schema.get("anyOf", ()):
        yield from _nodes(choice, path)
    for name, field in schema.get("properties", {}).items():
        yield from _nodes(field, (*path, name))
    if "items" in schema:
        yield from _nodes(schema["items"], (*path, "[]"))


def _least(schema: dict[str, Any]) -> Any:
    """Return a value with no more than must be there."""
    schema = _resolved(schema)
    if schema.get("type") == "object":
        return {name: _least(schema["properties"][name]) for name in schema.get("required", ())}
    return schema.get("enum", ["2024-02-29" if schema.get("format") == "date" else "x"])[0]


SCHEMA = Report.model_json_schema()
NODES = list(_nodes(SCHEMA, ()))
PLACES = sorted({path for path, _ in NODES})
OBJECTS = {path: _least(node) for path, node in NODES if node.get("type") == "object"}
VALUES: list[Any] = [
    *(None, True, False, "", " ", "x", "US", "us", "USA", "US\n", "1.0", "é" * 20, "\x00"),
    *(0, -0.0, -1, 1, 1.0, 1.5, 0.1, 150, 150.1, 700, 700.5, 1e300, 5e-324, float("nan")),
    *(2**31 - 1, 2**31, 2**53, 2**53 + 1, 2**63, 2**64, 10**30, -(2**63) - 1, float("inf")),
    *("2024-02-29", "2023-02-29", "1899-12-31", "1900-01-01", "0000-01-01", "9999-12-31"),
    *(
        "1970-01-01",
        "1970-01-02",
        "2024-2-29",
        "2024-02-29T00:00:00",
        "2024-02-29T00:00:00Z",
        "1709164800",
        "+2024-02-29",
    ),
    *([], [None], ["x"], [{}], {}, {"x": 1}),
]


def _values(path: tuple[str, ...]) -> Iterator[Any]:
    yield from VALUES
    if path in OBJECTS:
        yield OBJECTS[path]
    for place, schema in NODES:
        if place == path:
            yield from schema.get("enum", ())
            for limit in (schema.get("minLength"), schema.get("maxLength")):
                if limit is not None:
                    yield from ("x" * size for size in (limit - 1, limit, limit + 1))
                    yield "\U0001f600" * limit
            if most := schema.get("maxItems"):
                yield from ([_least(schema["items"])] * size for size in (most, most + 1))


def _with(path: tuple[str, ...], value: Any) -> bytes:
    for depth in range(len(path) - 1, -1, -1):
        name = path[depth]
        value = [value] if name == "[]" else {**OBJECTS[path[:depth]], name: value}
    return json.dumps(value).encode()


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(path) or "report")
def test_both_paths_agree_on_every_value_in_every_place(path: tuple[str, ...]) -> None:
    read = [_check_paths(_with(path, value)) for value in _values(path)]
    assert any(read) is (path not in LEFT_TO_THE_MODEL)


LEFT_TO_THE_MODEL = {
    ("products", "[]", "preparation", "made_at"),
    ("products", "[]", "preparation", "thawed_at"),
}


def test_a_field_that_the_fast_path_does_not_know_has_its_default() -> None:
    raw = _with(("products", "[]", "preparation", "passage"), 3)
    assert _check_paths(raw)
    assert decode_report(raw).products[0].preparation.made_at is None
    stated = Preparation.model_validate_json('{"made_at": "2024-02-29T00:00:00Z"}').made_at
    raw = _with(("products", "[]", "preparation", "made_at"), "2024-02-29T00:00:00Z")
    assert decode_report(raw).products[0].preparation.made_at == stated
