"""Pairs of the case store as they travel on `pv.cases`."""

from base64 import b85decode

import pytest

from streams.runtime.state import changelog
from streams.runtime.state.changelog import Pair, decode_pairs, encode_pairs

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


@pytest.mark.parametrize("pairs", [[], PAIRS])
def test_pairs_survive(pairs: list[Pair]) -> None:
    (part,) = encode_pairs(pairs)
    assert (part.pairs, list(decode_pairs(part.encoded))) == (len(pairs), pairs)


def test_large_pairs_are_parted_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changelog, "_PART_BYTES", 3)
    pairs: list[Pair] = [(b"%d" % at, b"v") for at in range(4)]
    parts = encode_pairs(pairs)
    assert [part.pairs for part in parts] == [1, 1, 1, 1]
    assert [pair for part in parts for pair in decode_pairs(part.encoded)] == pairs


def test_what_an_earlier_release_wrote_is_read() -> None:
    assert list(decode_pairs(EARLIER)) == PAIRS
