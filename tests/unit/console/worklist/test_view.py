"""A view is read from its address and written to it."""

from datetime import date
from urllib.parse import parse_qsl

import pytest

from schemas.alert import AlertKind, SignalGrade
from schemas.errors import InputError
from schemas.priority import PriorityLevel
from streams.console.worklist.view import COLUMNS, Density, Due, Sort, Tab, Verified, View

FULL = View(
    Tab.ON, "rota virus", AlertKind.NEW, PriorityLevel.HIGH, Verified.RUMOUR, Due.WEEK,
    SignalGrade.ALARM, Sort.IC, True, date(1999, 6, 8), "what,ic", Density.ONE_LINE, "a|b|c", "d|e",
)  # fmt: skip


def test_an_address_is_read_as_it_was_written() -> None:
    address = FULL.address()
    assert address.startswith("/desk?tab=on&q=rota+virus&kind=new")
    parameters = dict(parse_qsl(address.partition("?")[2]))
    assert View.of(parameters) == FULL


def test_the_plain_view_has_the_plain_address() -> None:
    assert View().address() == "/desk"
    assert View.of({"kind": "", "q": "  ", "lang": "ja"}) == View()
    assert FULL.address(tab=Tab.CHANGED).startswith("/desk?q=")
    assert View(Tab.ON, q="a").address(q=None) == "/desk?tab=on"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("tab", "all", "address: tab must be changed or screening or .*; got 'all'"),
        ("since", "8 June", "since must be a day such as 1999-06-15; got '8 June'"),
        ("up", "yes", "up must be 1 or 0; got 'yes'"),
        ("density", "x" * 500, "density must be two or one; got 'x{100}'$"),
    ],
)
def test_a_value_that_cannot_be_is_refused(name: str, value: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        View.of({name: value})


def test_columns_are_shown_once_in_the_order_of_the_address() -> None:
    assert View().shown_columns() == COLUMNS
    assert View(columns="due,ic,due,nothing").shown_columns() == ("what", "due", "ic")
    assert View(columns="ic,what").shown_columns() == ("ic", "what")


def test_what_is_listed_does_not_depend_on_columns_and_places() -> None:
    listed = FULL.filters()
    assert (listed.columns, listed.density, listed.open, listed.after) == (None,) * 4
    assert listed.q == FULL.q
    assert FULL.is_filtered()
    assert not View(Tab.ON, sort=Sort.IC, since=date(1999, 6, 8)).is_filtered()
