"""Empirical calibration: what it refuses, and what it makes of no pair."""

from collections.abc import Callable
from typing import Any

import pytest

from detectors.empirical_calibration import (
    EmpiricalNull,
    calibrated_lower,
    calibrated_p_value,
    fit_empirical_null,
)
from schemas.errors import InputError

NULL = EmpiricalNull(0.0, 0.1, 9)
FUNCTIONS = {
    "fit_empirical_null": fit_empirical_null,
    "calibrated_p_value": lambda y, s: calibrated_p_value(y, s, NULL),
    "calibrated_lower": lambda y, s: calibrated_lower(y, s, NULL),
}
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("where", FUNCTIONS)
@pytest.mark.parametrize(("y", "s"), [(NAN, 1.0), (INF, 1.0), (0.5, 0.0), (0.5, -1.0), (0.5, NAN)])
def test_values_without_meaning_are_refused(where: str, y: float, s: float) -> None:
    call: Callable[..., Any] = FUNCTIONS[where]
    with pytest.raises(
        InputError,
        match=rf"^{where}: log estimates must be finite, standard errors finite and more than 0; "
        rf"got {y} and {s} at 1$",
    ):
        call([0.1, y], [0.2, s])


@pytest.mark.parametrize("where", FUNCTIONS)
def test_lengths_must_agree(where: str) -> None:
    with pytest.raises(
        InputError,
        match=rf"^{where}: each log estimate must have one standard error; "
        r"got the shapes \(2,\) and \(1,\)$",
    ):
        FUNCTIONS[where]([0.1, 0.2], [0.2])


def test_a_null_needs_a_control_and_a_bound_a_level() -> None:
    with pytest.raises(InputError, match=r"^fit_empirical_null: there must be a negative control;"):
        fit_empirical_null([], [])
    for level in (0.0, 1.0, NAN):
        with pytest.raises(
            InputError, match=rf"^calibrated_lower: level must be in \(0, 1\); got {level}$"
        ):
            calibrated_lower([0.1], [0.2], NULL, level=level)


def test_of_no_pair_there_is_nothing() -> None:
    assert calibrated_p_value([], [], NULL).tolist() == []
    assert calibrated_lower([], [], NULL).tolist() == []
