"""The case stage without a broker: what of a batch is read, set aside, counted and kept."""

from datetime import date

import pytest

from schemas.errors import RejectCode
from schemas.rejected import LONGEST_KEY
from streams.core.duplicates.identifiers import CaseIdentifiers
from streams.runtime.embedded.case_stage import CaseStage, Incoming, read_batch, reject
from streams.runtime.state.case_store import MemoryStore
from streams.runtime.wire.batches import ReportTimes, Unreadable
from streams.runtime.wire.deltas import decode_delta, decode_outgoing
from tests.support.reports import DAY, make_report
from tests.support.versions import closing, make_marker, make_release, make_version

TOMORROW = date(2024, 3, 1)
WHY = ("why", RejectCode.SCHEMA)


def raw(case_id: str = "A", **fields: object) -> bytes:
    return make_report(case_id, **fields).model_dump_json().encode()


def unreadable(reason: str) -> Unreadable:
    value = Unreadable(b"packed")
    value.reason = reason
    return value


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Incoming(7, b"{"), "report: Invalid JSON"),
        (Incoming(7, b""), "value: must be a report; got nothing"),
        (Incoming(7, unreadable("offsets 7-9: torn")), "offsets 7-9: torn"),
        (Incoming(7, raw(), b"B"), "key: must be the case_id of the report"),
        (Incoming(7, raw(latest_received=TOMORROW)), "latest_received: must not lie"),
        (Incoming(7, raw(release=make_release(3))), "latest_received: must not lie"),
        (Incoming(7, make_marker(3).model_dump_json().encode()), "latest_received: must not lie"),
        (Incoming(7, raw("\x1fvaers/2024")), "case_id: must not begin with a unit separator"),
    ],
)
def test_a_message_that_cannot_be_read_is_set_aside_with_its_reason(
    message: Incoming, reason: str
) -> None:
    versions, (rejected,) = read_batch([message], source="pv.reports[3]", horizon=DAY)
    assert versions == []
    assert (rejected.source, rejected.position, rejected.raw) == ("pv.reports[3]", 7, message.value)
    assert rejected.reason.startswith(reason)


def test_versions_come_with_their_offsets_and_identifiers() -> None:
    identified: dict[int, CaseIdentifiers] = {}
    messages = [
        Incoming(4, raw("A"), b"A"),
        Incoming(9, make_report("B", worldwide_id="JP-X-1")),  # one that was read already
    ]
    versions, rejected = read_batch(messages, source="t", horizon=DAY, identified=identified)
    assert rejected == []
    assert [(offset, version.case_id) for offset, version in versions] == [(4, "A"), (9, "B")]
    assert {offset: found.own for offset, found in identified.items()} == {9: ("w:JP-X-1",)}


def test_a_key_that_is_too_long_is_not_kept() -> None:
    kept = reject(Incoming(0, b"x", b"k" * LONGEST_KEY), "t", *WHY)
    left = reject(Incoming(0, b"x", b"k" * (LONGEST_KEY + 1)), "t", *WHY)
    assert (kept.key, left.key) == (b"k" * LONGEST_KEY, None)


@pytest.mark.parametrize("keep_outbox", [False, True])
def test_a_batch_is_stored_before_its_delta_is_given_out(keep_outbox: bool) -> None:
    store = MemoryStore()
    stage = CaseStage(store, partition=3, keep_outbox=keep_outbox)
    times = ReportTimes(3, 9)
    batch = [make_version("A"), make_version("B")]
    counted = stage.count(batch, first_offset=10, next_offset=13, times=times)
    delta = counted.delta
    assert (delta.partition, delta.first_offset, delta.next_offset) == (3, 10, 13)
    assert delta.watermark == batch[0].latest_received
    assert delta.changes["case_id"].to_list() == ["A", "B"]
    assert (counted.tally, counted.population) == ({"first": 2}, {"counted": 2})
    assert store.next_offset == 13
    assert store.get(["A", "B", "C"]) == {"A": batch[0], "B": batch[1]}
    if keep_outbox:
        (entry,) = store.unpublished()
        sent = decode_outgoing(entry.outgoing)
        assert decode_delta(sent.delta).changes.equals(delta.changes)
        assert (sent.rejected, sent.times) == ([], times)
    else:
        assert counted.outgoing == b""


def test_a_range_without_versions_moves_on_and_says_no_day() -> None:
    store = MemoryStore()
    stage = CaseStage(store, partition=0, keep_outbox=False)
    delta = stage.count([], first_offset=0, next_offset=5).delta
    assert (delta.watermark, delta.changes.height, store.next_offset) == (-1, 0, 5)


def test_a_marker_may_have_any_key_and_no_identifiers() -> None:
    identified: dict[int, CaseIdentifiers] = {}
    marker = make_marker(2)
    messages = [Incoming(4, marker.model_dump_json().encode(), b"vaers/2024"), Incoming(5, marker)]
    versions, rejected = read_batch(messages, source="t", horizon=DAY, identified=identified)
    assert rejected == []
    assert versions == [(4, closing(2)), (5, closing(2))]
    assert identified == {}


def test_a_marker_withdraws_the_stored_cases_of_its_scope() -> None:
    store = MemoryStore()
    stage = CaseStage(store, partition=0, keep_outbox=False)
    batch = [
        make_version("A", release=make_release(1)),
        make_version("B", release=make_release(2)),
        make_version("C", release=make_release(1, "vaers/2023")),
        make_version("D"),
    ]
    stage.count(batch, first_offset=0, next_offset=4)
    counted = stage.count([closing(2)], first_offset=4, next_offset=5)
    assert counted.population == {"counted": -1, "withdrawn": 1}
    assert counted.delta.changes.select("case_id", "n").rows() == [("A", -1)]
    assert counted.delta.removed.select("case_id", "reason", "n").rows() == [("A", "withdrawn", 1)]
    assert counted.delta.watermark == -1
    withdrawn = {version.case_id for version in store.versions() if version.withdrawn}
    assert withdrawn == {"A"}
    late = stage.count([make_version("E", release=make_release(1))], first_offset=5, next_offset=6)
    assert late.population == {"withdrawn": 1}, "an older version that arrives after the marker"
    again = stage.count([closing(2), closing(1)], first_offset=6, next_offset=8)
    assert (again.delta.changes.height, again.tally) == (0, {"repeated_release": 2})


def test_a_marker_that_closes_nothing_new_reads_no_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    stage = CaseStage(store, partition=0, keep_outbox=False)
    stage.count([closing(2)], first_offset=0, next_offset=1)
    monkeypatch.setattr(store, "versions", None)  # a scan of all cases
    stage.count([closing(2), closing(1)], first_offset=1, next_offset=3)
    with pytest.raises(TypeError):
        stage.count([closing(3)], first_offset=3, next_offset=4)
