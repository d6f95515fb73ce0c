"""What an operator may hand back, and what may stand on `pv.rejected`."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.errors import IcsrError, InputError
from schemas.rejected import LONGEST_KEY, Rejected
from streams.cli.options import tomorrow
from streams.core.cases.transitions import CaseVersion
from streams.runtime.embedded.case_stage import Incoming, read_batch
from streams.runtime.operations import redrive
from streams.runtime.operations.redrive import as_line, read_mended
from streams.runtime.wire.rejects import (
    Redriven,
    StoredReject,
    lineage,
    lineage_headers,
    marker_record,
    reject_record,
    stored,
)
from tests.broker.support.processes import report
from tests.support.versions import make_marker

WHERE = {"source": "pv.reports[0]", "position": 7, "digest": "d"}


def on_topic(value: bytes | None, key: bytes, headers: dict[str, bytes]) -> Any:
    return SimpleNamespace(value=value, key=key, headers=list(headers.items()), timestamp=1_700_000)


def read(message: Incoming) -> tuple[list[CaseVersion], list[Rejected]]:
    versions, rejected = read_batch([message], source="pv.reports[2]", horizon=tomorrow())
    return [version for _, version in versions], rejected


def test_a_reject_comes_back_from_the_topic_as_it_went() -> None:
    rejected = Rejected(
        source="pv.reports[2]",
        position=5,
        reason="no",
        raw=b"\xff",
        key=b"k",
        first="old.jsonl@3",
        attempts=2,
    )
    found = stored(on_topic(*reject_record(rejected)))
    assert isinstance(found, StoredReject)
    assert found.rejected == rejected
    assert found.whole
    assert as_line(found, None)["value_base64"] == "/w=="
    key, headers = marker_record(found, "mended")
    assert stored(on_topic(None, key, headers)) == Redriven(found.identity, "mended")


@pytest.mark.parametrize("value", [None, b"", b"x"])
def test_what_is_neither_reject_nor_marker_is_passed_over(value: bytes | None) -> None:
    assert stored(on_topic(value, b"", {"reason": b"r"})) is None


def test_a_key_too_long_for_a_case_id_is_not_kept() -> None:
    for length in (LONGEST_KEY, LONGEST_KEY + 1):
        _, (reject,) = read(Incoming(0, b"{", b"k" * length))
        assert reject.key == (b"k" * length if length == LONGEST_KEY else None)
    assert read(Incoming(0, b"{", b""))[1][0].key is None


def test_a_redriven_message_that_fails_carries_on_where_it_was_first() -> None:
    reject = Rejected(source="a.jsonl", position=3, reason="no", raw=b"{")
    for attempt in (1, 2):
        headers = list(lineage_headers(reject).items())
        _, (reject,) = read(Incoming(attempt, reject.raw, b"k", headers))
        assert (reject.first, reject.attempts) == ("a.jsonl@3", attempt)
        assert reject.source == "pv.reports[2]"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"redriven-from": b"a@1"},
        {"redriven-attempt": b"1"},
        {"redriven-from": b"\xff@1", "redriven-attempt": b"1"},
        {"redriven-from": b"a@1", "redriven-attempt": b"one"},
        {"redriven-from": b"a@1", "redriven-attempt": b"1" * 10},
        {"redriven-from": b"a" * 1_001, "redriven-attempt": b"1"},
        {"redriven-from": None, "redriven-attempt": None},
    ],
)
def test_headers_that_make_no_sense_are_taken_for_absent(headers: dict[str, bytes | None]) -> None:
    assert lineage(headers.items()) == {}


def test_a_mended_value_is_text_or_an_object(tmp_path: Path) -> None:
    file = tmp_path / "mended.jsonl"
    one = report(1).model_dump(mode="json")
    lines = [
        WHERE | {"value": "<é>", "at": "whenever"},
        WHERE | {"position": 8, "value": one},
        WHERE | {"value": "<é>"},
    ]
    file.write_text("\ufeff\n" + "\n\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    mended = read_mended(file)
    assert mended["pv.reports[0]@7", "d"] == "<é>".encode()
    (version,), _ = read(Incoming(0, mended["pv.reports[0]@8", "d"], b"C1"))
    assert version.case_id == "C1"
    assert len(mended) == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "a line of `tocsin rejected list -o jsonl` must be given; got"),
        ("[]", "source, position and digest must say which reject; got others"),
        ('{"source": "a", "position": "7", "digest": "d", "value": ""}', "must say which reject"),
        (
            json.dumps(WHERE),
            "value must be a report or notice, as text or as an object; got neither",
        ),
        (json.dumps(WHERE | {"value": 7}), "value must be a report"),
        (
            "\n".join(json.dumps(WHERE | {"value": text}) for text in "ab"),
            "a reject must be mended in one way; got another",
        ),
    ],
)
def test_a_file_that_does_not_say_what_it_mends_is_refused(
    tmp_path: Path, line: str, words: str
) -> None:
    file = tmp_path / "mended.jsonl"
    file.write_text(line)
    with pytest.raises(InputError, match=f"^--from: {file}:[12]: .*{re.escape(words)}"):
        read_mended(file)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be a readable text file"):
        read_mended(tmp_path / "none")


def test_a_marker_is_not_redriven_to_one_partition() -> None:
    marker = make_marker(3).model_dump_json().encode()
    with pytest.raises(IcsrError, match=r"release_marker: must go to every partition; publish the"):
        redrive._case_id(marker, tomorrow())
    assert redrive._case_id(report(1).model_dump_json().encode(), tomorrow()) == b"C1"
