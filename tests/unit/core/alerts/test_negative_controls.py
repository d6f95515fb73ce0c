"""Calibration of alerts by negative controls, recounted from the cases by other means."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from schemas.alert import Alert
from schemas.calibration import Calibration
from schemas.errors import InputError
from streams.core.alerts.context import AlertContext
from streams.core.alerts.negative_controls import NegativeControls
from streams.core.detection.evaluation import Evaluation
from streams.core.safety.monitor import SafetyMonitor
from streams.core.signals.realert_policy import load_policy
from tests.support.counted_window import CountedWindow, rules_of

POLICY = load_policy()
MONITOR = SafetyMonitor()
Case = tuple[tuple[str, ...], tuple[str, ...]]
CONTROLS = [(f"drug {n}", f"event {n}") for n in range(12)]
CASES: list[Case] = [
    *((("zinc",), ("rash",)) for _ in range(6)),
    *((("zinc", "drug 0"), ("rash", "event 3")) for _ in range(2)),
    *(((f"drug {n}",), (f"event {n}",)) for n in range(12) for _ in range((1, 4, 2, 16)[n % 4])),
    *(
        ((f"drug {n}",), (f"event {(n + 4) % 12}", "rash"))
        for n in range(12)
        for _ in range((20, 3, 60, 1)[n % 4])
    ),
]


class Desk:
    """An evaluation with negative controls, of a rule of `fewest` cases."""

    def __init__(self, controls: Sequence[tuple[str, str]] | None, *, fewest: int = 5) -> None:
        self.counted = CountedWindow()
        of_run = None if controls is None else NegativeControls(controls)
        context = AlertContext(MONITOR, POLICY)
        self.evaluation = Evaluation(rules_of(fewest), None, POLICY, context, of_run)
        self.cases: list[Case] = []

    def count(self, cases: Sequence[Case], *, n: int = 1) -> None:
        for number, (drugs, events) in enumerate(cases):
            name = f"{len(self.cases) + number if n > 0 else number}"
            self.counted.count([name], drugs, events, n=n)
        self.cases += cases if n > 0 else []

    def evaluate(self) -> dict[str, Alert]:
        self.evaluation.begin()
        on_day = MONITOR.known_on(self.counted.instance().window.last_day)
        alerts = self.evaluation.evaluate(self.counted.view(), self.counted.instance(), on_day)
        self.counted.evaluated()
        return {f"{alert.drug} x {alert.event}": alert for alert in alerts}


def observed(cases: Sequence[Case], drug: str, event: str) -> tuple[int, float]:
    """Return the cases of a pair and those expected, counted case by case."""
    n = sum(drug in drugs and event in events for drugs, events in cases)
    n_drug = sum(drug in drugs for drugs, _ in cases)
    n_event = sum(event in events for _, events in cases)
    return n, n_drug * n_event / len(cases)


def recounted(cases: Sequence[Case], controls: Sequence[tuple[str, str]]) -> tuple[float, float]:
    """Return mean and standard deviation of the empirical null, in log2 units."""
    found = [observed(cases, *pair) for pair in controls]
    ratios = [(math.log2(n / expected), 1 / (n * math.log(2) ** 2)) for n, expected in found if n]

    def loss(parameters: np.ndarray) -> float:
        mean, log_sd = parameters
        return -sum(
            norm.logpdf(ratio, mean, math.sqrt(math.exp(2 * log_sd) + variance))
            for ratio, variance in ratios
        )

    best = minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13})
    return float(best.x[0]), math.exp(best.x[1])


def calibration(alert: Alert) -> Calibration:
    assert alert.calibration is not None
    return alert.calibration


def test_an_alert_is_set_against_the_controls_with_a_case() -> None:
    desk = Desk([("DRUG 0", "Event 0"), *CONTROLS, ("drug 1", "event 0"), ("unheard", "of")])
    desk.count(CASES)
    found = calibration(desk.evaluate()["zinc x rash"])
    mean, sd = recounted(CASES, [*CONTROLS, ("drug 1", "event 0")])
    assert sd > 0.1, "the controls vary beyond chance"
    assert (found.n_controls, found.n_controls_with_case) == (14, 12)
    assert (found.mean, found.sd) == pytest.approx((mean, sd), rel=1e-6)
    n, expected = observed(CASES, "zinc", "rash")
    spread = math.hypot(sd, 1 / (math.sqrt(n) * math.log(2)))
    assert found.lower == pytest.approx(math.log2(n / expected) - mean - 1.959963985 * spread)


def test_the_false_alert_rate_is_of_all_controls_as_of_the_evaluation() -> None:
    desk = Desk(CONTROLS, fewest=4)
    desk.count(CASES)
    first = desk.evaluate()
    on = [pair for pair in CONTROLS if observed(CASES, *pair)[0] >= 4]
    assert 0 < len(on) < 12
    for alert in first.values():
        found = calibration(alert)
        assert (found.n_controls_on, found.false_alert_rate) == (len(on), len(on) / 12)
    # One more control comes on, and the pair itself is none of the controls.
    more: list[Case] = [(("drug 2",), ("event 2",))] * 3
    desk.count(more)
    found = calibration(desk.evaluate()["drug 2 x event 2"])
    assert found.n_controls_on == len(on) + 1


def test_a_control_that_goes_off_is_no_false_alert_any_more() -> None:
    desk = Desk(CONTROLS, fewest=4)
    desk.count(CASES)
    before = calibration(next(iter(desk.evaluate().values())))
    place = CASES.index((("drug 1",), ("event 1",)))
    desk.counted.count([str(place)], *CASES[place], n=-1)  # the fourth case is withdrawn
    gone = desk.evaluate()["drug 1 x event 1"]
    assert gone.rules_fired == ()
    assert calibration(gone).n_controls_on == before.n_controls_on - 1


def test_few_controls_with_a_case_give_no_null() -> None:
    for controls, enough in ((CONTROLS[:9], False), (CONTROLS[:10], True)):
        desk = Desk([*controls, *((f"drug {n}", "unheard of") for n in range(9))])
        desk.count(CASES)
        found = calibration(desk.evaluate()["zinc x rash"])
        assert found.n_controls_with_case == len(controls)
        assert [value is not None for value in (found.mean, found.sd, found.lower)] == [enough] * 3
        assert found.n_controls == len(controls) + 9


def test_a_pair_without_a_case_has_no_bound() -> None:
    desk = Desk(CONTROLS)
    lead: list[Case] = [(("lead",), ("itch",))] * 5
    desk.count([*lead, *CASES])
    assert calibration(desk.evaluate()["lead x itch"]).lower is not None
    desk.count(lead, n=-1)
    found = calibration(desk.evaluate()["lead x itch"])
    assert found.lower is None
    assert found.mean is not None


def test_controls_are_looked_up_without_becoming_names() -> None:
    desk = Desk([*CONTROLS, ("unheard", "of")])
    desk.count(CASES)
    names = len(desk.counted.drugs), len(desk.counted.events)
    desk.evaluate()
    assert (len(desk.counted.drugs), len(desk.counted.events)) == names


def test_without_controls_there_is_no_calibration() -> None:
    desk = Desk(None)
    desk.count(CASES)
    assert {alert.calibration for alert in desk.evaluate().values()} == {None}


def test_a_list_without_a_pair_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"^negative controls: there must be a pair of drug and event; got none$"
    ):
        NegativeControls([])
