"""The changelog of the cases: its records, and from which of them on the state is whole."""

from base64 import b85decode
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.errors import StateError
from streams.runtime.state import changelog
from streams.runtime.state.changelog import (
    Pair,
    Part,
    Progress,
    decode_last,
    decode_pairs,
    decode_record,
    encode_pairs,
    encode_record,
)
from streams.runtime.wire.limits import TooLarge


def published(value: bytes) -> Any:
    return SimpleNamespace(topic="pv.cases", partition=3, offset=17, value=value)


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [(b"a", b"1")],
        [(b"a", b"1"), (b"b", None), (b"\x00\xff", b""), (b"a", b"2")],
    ],
)
def test_pairs_survive_in_their_order(pairs: list[Pair]) -> None:
    (part,) = encode_pairs(pairs)
    assert part.pairs == len(pairs)
    assert list(decode_pairs(part.encoded)) == pairs


def test_many_pairs_are_several_parts_and_one_that_fits_nowhere_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(changelog, "_PART_BYTES", 10)
    pairs: list[Pair] = [(b"%d" % n, b"x" * 4) for n in range(5)] + [(b"5", b"y" * 30)]
    parts = encode_pairs(pairs)
    assert [part.pairs for part in parts] == [2, 2, 1, 1]
    assert [pair for part in parts for pair in decode_pairs(part.encoded)] == pairs
    monkeypatch.setattr("streams.runtime.wire.limits.RECORD_BYTES", 10)
    with pytest.raises(TooLarge, match="must fit in 10 bytes"):
        encode_pairs(pairs)


def test_a_record_survives_and_another_format_is_refused() -> None:
    progress = Progress(base=4, size=100, pairs=2)
    raw = encode_record(6, (10, 12), progress, b"pairs", copied=(b"a", b"b"))
    record = decode_record(published(raw))
    assert (record.partitions, record.first_offset, record.next_offset) == (6, 10, 12)
    assert (record.progress, record.pairs, record.copied) == (progress, b"pairs", (b"a", b"b"))
    assert decode_last(published(raw)) == record
    assert decode_last(None) is None
    with pytest.raises(StateError, match=r"^pv\.cases\[3\]@17: must be a changelog record of"):
        decode_record(published(b"\xc1"))
    other = raw.replace(bytes([raw[0], changelog._FORMAT]), bytes([raw[0], 3]), 1)
    with pytest.raises(
        StateError, match=r"must be of format 4; got format 3\. Count the reports again"
    ):
        decode_record(published(other))


PART = Part(2, b"x" * 100)


def test_a_changelog_without_a_base_is_copied_until_one_is_whole() -> None:
    progress = Progress()
    assert (progress.due, progress.copying) == (True, False)
    progress = progress.after_part(PART).begin_copy(5)
    assert progress.copying
    progress = progress.after_chunk(PART, b"m", last=False)
    assert (progress.copy_start, progress.copy_after, progress.base) == (5, b"m", -1)
    progress = progress.after_part(PART)  # a batch between two chunks
    done = progress.after_chunk(PART, b"z", last=True)
    assert (done.base, done.copying, done.due) == (5, False, False)
    # Of all since the copy began: two chunks, and the batch between them; 200 bytes each beside.
    assert (done.pairs, done.size, done.base_size) == (6, 900, 600)


def test_it_is_copied_anew_once_it_has_outgrown_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changelog, "_FLOOR", 100)
    progress = Progress(base=0, base_size=400)
    for _ in range(3):
        progress = progress.after_part(PART)
        assert not progress.due
    assert progress.after_part(PART).due  # 1,200 bytes, of 2 * 400 + 100


PAIRS: list[Pair] = [(b"a", b"1"), (b"b", None)]

# What release 0.1.0 wrote of them, on topics that are kept: an Arrow IPC file.
EARLIER = b85decode(
    "K~hprS1|wp1ONa4^8f$;6aWAK1ONd5000UA3jhcJ3IGHE`2YX^3;+NC2mlBG000C40ssI2FaQ7m1ONa4#Q*>Q7ytkO5C8xG"
    "2mk;80T%!O00000#Q*>Q1poj5c42IFWdHyG?EnA&EC2uiAOHXW7ytkO0T%!O5C9SY1ON~K5da7P000aC00000{Qv*|1ONm8"
    "0{{R3Yh`%=|NsC0-~a#s1ONa4?EnA&zyJUM000006aWAK1ONj73;+`V5C9SY3;+ZG-v9sq0ssI200000i~s-tKmY&$FaQ7m"
    "7ytkO00000000gE8~_9W3;+-S6aW|i0ssI200000000000000000000`v3p`0RRR71pov91ONa400000000000000000000"
    "0000000000B>(^b00000KmY&$000005&!@I00000fB*mh000009RL6T00000000000ssI20ssI20000000000000000ssI2"
    "000000RR9100000AOHXW00000D77#BARwgx0AK+C003bC0RR91VgLdFV3!RP0RR91000000000000000000000000000000"
    "0RR9100000D77#BAOQ&g0Q~>}0000000000000000000000000000000000000000000000000000000AOHXW00000D77#B"
    "ARuJ`05Aan001!n0RT2A0ssI20000000000000000000000000000000000000000|NsC0000001ONa4?EnA&KmY&$H~;_u"
    "6aWAK1ONa43;+@U5C8-K2mlNK0RR91pa1{>00000=l}o!00000zyJUM000000000000000`2YX^3;+NC2mlBG000C40ssI2"
    "FaQ7m1ONa4#Q*>Q7ytkO5C8xG2mk;80T%!O00000#Q*>Q1poj5c42IFWdHyG?EnA&EC2uiAOHXW7ytkO0T%!O5C9SY1ON~K"
    "5da7P000aC00000{Qv*|1ONm80{{R3Yh`%=!~g&QK~hprS1|"
)


def test_what_an_earlier_release_wrote_is_read() -> None:
    assert list(decode_pairs(EARLIER)) == PAIRS
