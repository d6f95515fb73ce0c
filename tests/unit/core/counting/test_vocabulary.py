"""Names as codes, in order of appearance."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.counting.vocabulary import Vocabulary


def test_a_vocabulary_codes_names_in_order_of_appearance() -> None:
    names = Vocabulary(["zinc", "iron", "zinc"])
    assert (names.names, len(names)) == (["zinc", "iron"], 2)
    assert [names.code(name) for name in ("iron", "alum", "zinc")] == [1, 2, 0]
    assert names.decode(np.array([2, 0])).to_list() == ["alum", "zinc"]


@settings(deadline=None)
@given(st.lists(st.text(max_size=3)), st.lists(st.lists(st.text(max_size=3)), min_size=1))
def test_encoded_names_decode_to_themselves(known: list[str], lists: list[list[str]]) -> None:
    vocabulary = Vocabulary(known)
    before = list(vocabulary.names)
    names = [name for each in lists for name in each]
    encoded = vocabulary.encode(pl.Series(names, dtype=pl.String))
    assert encoded.dtype == pl.UInt32
    assert vocabulary.decode(encoded.to_numpy()).to_list() == names
    assert list(vocabulary.names[: len(before)]) == before
    assert set(vocabulary.names) == {*known, *names}
    nested = Vocabulary(known).encode(pl.Series(lists, dtype=pl.List(pl.String)))
    assert nested.dtype == pl.List(pl.UInt32)
    assert [vocabulary.decode(np.array(each, dtype=int)).to_list() for each in nested] == lists
