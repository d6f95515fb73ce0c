"""A `with` block ends with `close`, also when it ends with an error."""

import pytest

from streams.runtime.closable import Closable


class Door(Closable):
    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def test_a_block_closes_once_and_hides_no_error() -> None:
    with Door() as door:
        assert door.closed == 0
    assert door.closed == 1
    with pytest.raises(ZeroDivisionError), door:
        raise ZeroDivisionError
    assert door.closed == 2
