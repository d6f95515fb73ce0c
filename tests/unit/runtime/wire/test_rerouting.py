"""The copy of a message for the partition of its case: what it keeps, and when there is none."""

from types import SimpleNamespace
from typing import Any

import pytest

from schemas.errors import IcsrError, RejectCode
from streams.runtime.wire.limits import MAX_MESSAGE_BYTES
from streams.runtime.wire.rerouting import Rerouted, origin_of, rerouted_record

FROM = ("rerouted-from", b"pv.reports[3]@17")


def record(headers: Any = (), value: bytes = b"{}") -> Any:
    return SimpleNamespace(offset=17, value=value, key=None, headers=headers, timestamp=1_234)


def copy(record: Any) -> Rerouted:
    return rerouted_record(record, b"C1", partition=5, source="pv.reports[3]")


def test_a_copy_keeps_value_headers_and_timestamp_and_names_its_original() -> None:
    headers = [("a", b"1"), ("a", b"2"), ("nothing", None)]
    made = copy(record(headers))
    assert made == Rerouted(
        5, b"C1", b"{}", [("a", b"1"), ("a", b"2"), ("nothing", b""), FROM], 1_234
    )
    assert made.origin == "pv.reports[3]@17"
    assert origin_of(made.headers) == b"pv.reports[3]@17"
    assert origin_of(headers) is None


def test_a_copy_is_never_copied_again() -> None:
    made = copy(record())
    with pytest.raises(IcsrError, match=r"^partition: a re-routed message must be on") as raised:
        copy(record(made.headers))
    assert raised.value.code is RejectCode.PARTITION


def test_a_copy_that_was_mirrored_from_another_topic_is_re_routed_here() -> None:
    made = copy(record([("rerouted-from", b"dr.pv.reports[1]@2"), ("a", b"1")]))
    assert made.headers == [("a", b"1"), FROM]


@pytest.mark.parametrize("spare", [0, 1])
def test_a_copy_must_fit_in_a_record(spare: int) -> None:
    size = 4_096 + len(b"C1") + len(b"{}") + len("x") + sum(map(len, FROM)) + 2 * 10
    header = ("x", b"x" * (MAX_MESSAGE_BYTES - size + 1 - spare))
    if spare:
        assert copy(record([header])).headers == [header, FROM]
        return
    with pytest.raises(
        IcsrError, match=rf"can be re-routed; got {MAX_MESSAGE_BYTES + 1}$"
    ) as raised:
        copy(record([header]))
    assert raised.value.code is RejectCode.TOO_LONG
