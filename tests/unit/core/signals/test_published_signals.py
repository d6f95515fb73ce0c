"""The published state of signals, against a plain dictionary."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.signals.published_signals import Signals

keys = st.sets(st.integers(0, 1 << 40) | st.integers(0, 9), max_size=8)


@settings(deadline=None)
@given(st.lists(keys, max_size=5), keys)
def test_what_is_published_last_stands_and_is_found(
    published: list[set[int]], asked: set[int]
) -> None:
    signals, expected = Signals(), dict[int, tuple[int, float]]()
    for revision, of in enumerate(published):
        signals.publish(
            Signals.row(key=list(of), revision=revision, on=1, ror_lower=[key / 7 for key in of]),
            {},
        )
        expected |= {key: (revision, key / 7) for key in of}
    rows = signals.rows
    held = zip(*(rows[name].tolist() for name in ("key", "revision", "ror_lower")), strict=True)
    assert list(held) == [(key, *expected[key]) for key in sorted(expected)]
    assert signals.on.tolist() == sorted(expected)
    for some in (sorted(asked), sorted({*asked, *expected}), sorted(expected)[::2]):
        here, there = signals.within(np.array(some, dtype=np.int64))
        found = [key for key in some if key in expected]
        assert rows["key"][here].tolist() == found
        assert [some[at] for at in there.tolist()] == found
