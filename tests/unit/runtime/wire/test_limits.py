"""A value fits into a record, or the range of messages must be made smaller."""

import pytest

from streams.runtime.wire.limits import MAX_MESSAGE_BYTES, RECORD_BYTES, TooLarge, too_large


def test_a_value_leaves_room_for_its_key_and_headers() -> None:
    assert RECORD_BYTES + 4096 == MAX_MESSAGE_BYTES
    too_large(bytes(RECORD_BYTES))
    with pytest.raises(
        TooLarge, match=rf"must fit in {RECORD_BYTES} bytes; got {RECORD_BYTES + 1}"
    ):
        too_large(bytes(RECORD_BYTES + 1))
