"""Chronology of a case: first administration, dechallenge and rechallenge by drug, onset by event.

Of a drug: the first day of administration, whether a lot is stated, dechallenge and rechallenge. Of
an event: the day of its onset. Each is one integer, stored beside the name it belongs to; a
report that states none of them needs no storage.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from schemas.product import Product, normalise_lot

__all__ = [
    "ABATED",
    "DECHALLENGE",
    "LATE_DAYS",
    "LOT",
    "RECHALLENGE",
    "RECURRED",
    "START",
    "Course",
    "add_course",
    "course_of",
    "joined_codes",
    "parse_course",
]

LOT, DECHALLENGE, ABATED, RECHALLENGE, RECURRED = (1 << bit for bit in range(5))
"""Bits of a course: a lot is stated; a dechallenge is, and was positive; a rechallenge likewise."""

START = 5
"""Bits below the day a course began: its proleptic ordinal (`date.toordinal`), 0 if not stated."""

LATE_DAYS = 90
"""A case first received more than so many days after the onset of its event is late."""

_SEPARATOR = "\x1f"  # as between the names that codes stand beside
_BITS = (1 << START) - 1
_MOST_LOTS = 100_000


class Course(NamedTuple):
    """Chronology of one drug of one case.

    Attributes
    ----------
    start
        Day of the earliest administration, as `date.toordinal` has it; 0 if not stated.
    lot
        Whether a lot is stated.
    dechallenge, rechallenge
        Whether the reaction abated, and whether it came back; `None` if neither is said.
    """

    start: int
    lot: bool
    dechallenge: bool | None
    rechallenge: bool | None


@lru_cache(maxsize=_MOST_LOTS)
def _lot_bit(typed: str) -> int:
    return 0 if normalise_lot(typed) is None else LOT


def course_of(product: Product) -> int:
    """Return the chronology of a product as one integer; 0 if it states nothing."""
    lot, first_given = product.lot, product.first_given
    dechallenge, rechallenge = product.dechallenge, product.rechallenge
    code = first_given.toordinal() << START if first_given else 0
    if lot:
        code |= _lot_bit(lot)
    if dechallenge is not None:
        code |= DECHALLENGE | ABATED if dechallenge else DECHALLENGE
    if rechallenge is not None:
        code |= RECHALLENGE | RECURRED if rechallenge else RECHALLENGE
    return code


def parse_course(code: int) -> Course:
    """Decode an integer of `course_of`.

    >>> parse_course(course_of(Product(lot="EX117", rechallenge=False)))
    Course(start=0, lot=True, dechallenge=None, rechallenge=False)
    """
    return Course(
        code >> START,
        bool(code & LOT),
        bool(code & ABATED) if code & DECHALLENGE else None,
        bool(code & RECURRED) if code & RECHALLENGE else None,
    )


def add_course(courses: dict[str, int], names: Iterable[str], code: int) -> None:
    """Merge the course of a product into those of the names it counts under.

    The earliest start wins; a bit is set if any product sets it.
    """
    start = code >> START
    for name in names:
        current = courses.get(name, 0)
        first = current >> START
        first = min(first, start) if first and start else first or start
        courses[name] = first << START | (current | code) & _BITS


def joined_codes(names: str, codes: Mapping[str, int]) -> str:
    """Return the codes of joined names, joined by the same separator; 0 for a name without one."""
    return _SEPARATOR.join([str(codes.get(name, 0)) for name in names.split(_SEPARATOR)])
