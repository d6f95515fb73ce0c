"""Checks of numeric arguments: whole numbers of cases, and finite numbers."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.errors import InputError

__all__ = ["finite_numbers", "require_whole", "whole_numbers"]

Floats = NDArray[np.float64]

_LARGEST = 2.0**63  # of whole numbers that an Int64 does not hold


def whole_numbers(values: ArrayLike, name: str, *, where: str, least: int = 0) -> NDArray[np.int64]:
    """Return whole numbers as Int64, and refuse all others.

    Parameters
    ----------
    values
        Integers, or floats without a fraction; of any shape.
    name, where
        The argument and the function, for the message.
    least
        Smallest number that is accepted.

    Raises
    ------
    InputError
        If one is not finite, not whole, not a number, or below `least`.

    Examples
    --------
    >>> whole_numbers([3, 0], "n_observed", where="example").tolist()
    [3, 0]
    >>> whole_numbers(2.5, "n_observed", where="example")
    Traceback (most recent call last):
    schemas.errors.InputError: example: n_observed must be whole numbers, 0 or more; got 2.5
    """
    array = np.asarray(values)
    rule = f"{where}: {name} must be whole numbers, {least} or more"
    if array.dtype.kind not in "iu":
        array = _floats(values, rule)
        _refuse(array, (array == np.floor(array)) & (np.abs(array) < _LARGEST), rule)
    whole = array.astype(np.int64, copy=False)
    if whole.size and whole.min() < least:
        _refuse(whole, whole >= least, rule)
    return whole


def finite_numbers(values: ArrayLike, name: str, *, where: str, positive: bool = False) -> Floats:
    """Return finite numbers of 0 or more, or more than 0, as Float64; refuse all others.

    Raises
    ------
    InputError
        If one is not finite, not a number, or too small.

    Examples
    --------
    >>> finite_numbers([0, 0.5], "expected", where="example").tolist()
    [0.0, 0.5]
    """
    rule = f"{where}: {name} must be finite numbers, {'more than 0' if positive else '0 or more'}"
    array = _floats(values, rule)
    _refuse(array, np.isfinite(array) & (array > 0 if positive else array >= 0), rule)
    return array


def require_whole(value: int, name: str, *, where: str, least: int) -> int:
    """Return one integer of at least `least`; refuse any other value, a float or boolean too.

    Raises
    ------
    InputError
        If it is anything else.

    Examples
    --------
    >>> require_whole(3, "at_least", where="example", least=1)
    3
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        msg = f"{where}: {name} must be a whole number, {least} or more; got {value!r}"
        raise InputError(msg)
    return int(value)


def _floats(values: ArrayLike, rule: str) -> Floats:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        msg = f"{rule}; got {values!r}"
        raise InputError(msg) from error


def _refuse(values: NDArray[np.generic], sound: NDArray[np.bool_], rule: str) -> None:
    if np.all(sound):
        return
    bad = np.atleast_1d(values)[~np.atleast_1d(sound)]
    first = f"; got {bad[0].item()!r}"
    msg = rule + (first if values.ndim == 0 else f"{first}, the first of {bad.size} such")
    raise InputError(msg)
