"""A dozen cases with corrections: the alerts on file, checked by formulas written here.

A golden alert leaves out `code_version` and `caveat`; a field that is added to the schema later
need not stand in it, but none that stands in it may change.
"""

import itertools
import json
import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from scipy.special import gammainc

from tests.support.cli import tocsin_process

GOLDEN = Path(__file__).parent / "golden"
RULES = ("--rules", "mhra,ema,ic", "--screening", "none")
Case = tuple[date, frozenset[str], frozenset[str]]
Counts = dict[tuple[str, str], tuple[int, int, int, int]]


def _replay(out: Path, *options: str) -> tuple[list[dict[str, Any]], bytes, pl.DataFrame]:
    out.mkdir(parents=True)
    alerts, counts = out / "alerts.jsonl", out / "counts.parquet"
    written = ("--alerts", alerts, "--counts", counts)
    ended = tocsin_process("replay", GOLDEN / "reports.jsonl", *written, *RULES, *options)
    assert ended.returncode == 0, ended.stderr
    raw = alerts.read_bytes()
    table = pl.read_parquet(counts).drop("expected_adjusted")
    return [json.loads(line) for line in raw.splitlines()], raw, table


@pytest.fixture(scope="module")
def golden() -> list[dict[str, Any]]:
    text = (GOLDEN / "alerts.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def replayed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[list[dict[str, Any]], bytes, pl.DataFrame]:
    return _replay(tmp_path_factory.mktemp("golden") / "first")


def _messages() -> list[dict[str, Any]]:
    text = (GOLDEN / "reports.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _latest(messages: Iterable[dict[str, Any]]) -> dict[str, Case]:
    """Return the counted cases; no two versions of the file share their number."""
    latest: dict[str, dict[str, Any]] = {}
    for message in messages:
        held = latest.get(message["case_id"], message)
        if message.get("version", 1) >= held.get("version", 1):
            latest[message["case_id"]] = message
    cases = {}
    for case_id, message in latest.items():
        drugs = set()
        for product in message.get("products", ()):
            if product.get("role") != "concomitant":
                name = product.get("product_class") or product.get("verbatim")
                drugs |= set(product.get("substances") or [name])
        events = {reaction["term"] for reaction in message.get("reactions", ())}
        kept_out = "links" in message or "verification" in message
        if drugs and events and not kept_out:
            day = date.fromisoformat(message["first_received"])
            cases[case_id] = (day, frozenset(drugs), frozenset(events))
    return cases


def _table(cases: Iterable[Case]) -> Counts:
    held = list(cases)
    names = {pair for _, drugs, events in held for pair in itertools.product(drugs, events)}
    return {
        (drug, event): (
            sum(drug in drugs and event in events for _, drugs, events in held),
            sum(drug in drugs for _, drugs, _ in held),
            sum(event in events for _, _, events in held),
            len(held),
        )
        for drug, event in names
    }


def _differences(golden: Any, found: Any, place: str = "alert") -> list[str]:
    if isinstance(golden, dict):
        nested = [_differences(golden[key], found[key], f"{place}.{key}") for key in golden]
        return list(itertools.chain.from_iterable(nested))
    if isinstance(golden, list) and len(golden) == len(found):
        items = enumerate(zip(golden, found, strict=True))
        nested = [_differences(*both, f"{place}[{number}]") for number, both in items]
        return list(itertools.chain.from_iterable(nested))
    same = found == (pytest.approx(golden, rel=1e-12) if isinstance(golden, float) else golden)
    return [] if same else [f"{place}: {golden!r} became {found!r}"]


def test_the_alerts_are_those_on_file(
    golden: list[dict[str, Any]], replayed: tuple[list[dict[str, Any]], bytes, pl.DataFrame]
) -> None:
    found = replayed[0]
    assert len(found) == len(golden)
    for on_file, alert in zip(golden, found, strict=True):
        assert _differences(on_file, alert) == []


def test_a_second_run_gives_the_same_bytes(
    replayed: tuple[list[dict[str, Any]], bytes, pl.DataFrame], tmp_path: Path
) -> None:
    assert _replay(tmp_path / "second")[1] == replayed[1]


def _odds(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator else None


def test_the_numbers_on_file_follow_from_the_input_they_name(golden: list[dict[str, Any]]) -> None:
    messages = _messages()
    for alert in golden:
        prefix = messages[: alert["as_of"][0]["next_offset"]]
        cases = _latest(prefix)
        a, n_drug, n_event, total = _table(cases.values())[alert["drug"], alert["event"]]
        assert list(alert["counts"].values()) == [a, n_drug, n_event, total]
        of_pair = {case for case, (_, d, e) in cases.items() if "alpha" in d and "Sepsis" in e}
        assert set(alert["case_ids"]) == of_pair
        days = sorted(cases[case][0].isoformat() for case in of_pair)
        assert (alert["first_received"], alert["last_received"]) == (days[0], days[-1])

        numbers = alert["statistics"]
        b, c = n_drug - a, n_event - a
        d = total - a - b - c
        expected = n_drug * n_event / total
        prr = _odds(a * (c + d), c * (a + b))
        chi2 = total * (a * d - b * c) ** 2 / ((a + b) * (c + d) * (a + c) * (b + d))
        yates = total * max(abs(a * d - b * c) - total / 2, 0) ** 2
        yates /= (a + b) * (c + d) * (a + c) * (b + d)
        ic = math.log2((a + 0.5) / (expected + 0.5))
        by_formula = {
            "expected": expected,
            "rrr": a / expected,
            "prr": prr,
            "ror": _odds(a * d, b * c),
            "chi2": chi2,
            "chi2_yates": yates,
            "ic": ic,
        }
        if prr is not None:
            spread = 1.959963984540054 * math.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))
            by_formula["prr_lower"] = prr * math.exp(-spread)
            by_formula["prr_upper"] = prr * math.exp(spread)
        else:  # all a cases with the event are the drug's: half the chance of that is 2.5%
            share = 0.05 ** (1 / a)
            by_formula["prr_lower"] = share / (1 - share) * (c + d) / (a + b)
        for name, value in by_formula.items():
            assert numbers[name] == (value if value is None else pytest.approx(value, rel=1e-12))
        if by_formula["ror"] is None:  # no table with these margins has a greater a
            weights = [
                math.comb(n_event, k) * math.comb(b + d, n_drug - k) * numbers["ror_lower"] ** k
                for k in range(a + 1)
            ]
            assert weights[a] / sum(weights) == pytest.approx(0.05, rel=1e-12)
            assert a == min(n_drug, n_event)
        # The bounds are the rates below which a gamma(n + 1/2, E + 1/2) lies that often.
        for name, mass in (("ic_lower", 0.025), ("ic_upper", 0.975)):
            below = gammainc(a + 0.5, (expected + 0.5) * 2 ** numbers[name])
            assert below == pytest.approx(mass, rel=1e-9)

        # mhra: PRR >= 2 (unbounded counts), Yates's chi-square >= 4, at least 3 cases; once on,
        # it stays so down to 1.68 and 2.71.
        mhra = (prr is None or prr >= 2) and yates >= 4 and a >= 3
        stays = (prr is None or prr >= 1.68) and yates >= 2.71 and a >= 3
        was = alert["previous"] is not None and "mhra" in alert["previous"]["rules_fired"]
        assert alert["rules_fired"] == (["mhra"] if mhra or (was and stays) else [])
        assert numbers["ic_lower"] <= 0, "else the rule ic fires"


def test_the_final_counts_are_the_recount(
    replayed: tuple[list[dict[str, Any]], bytes, pl.DataFrame],
) -> None:
    found = {(drug, event): tuple(cell) for _, drug, event, *cell in replayed[2].iter_rows()}
    assert found == _table(_latest(_messages()).values())


@pytest.mark.parametrize("until", ["2024-01-31", "2024-02-08", "2024-02-20", "2030-01-01"])
def test_until_gives_the_alerts_and_counts_of_that_day(
    until: str, golden: list[dict[str, Any]], tmp_path: Path
) -> None:
    alerts, _, counts = _replay(tmp_path / "until", "--until", until)
    earlier = [alert["alert_id"] for alert in golden if alert["evaluated_on"] <= until]
    assert [alert["alert_id"] for alert in alerts] == earlier
    sent = [message for message in _messages() if message["latest_received"] <= until]
    found = {(drug, event): tuple(cell) for _, drug, event, *cell in counts.iter_rows()}
    assert found == _table(_latest(sent).values())


def test_every_window_is_the_recount_of_its_days(tmp_path: Path) -> None:
    windows = ["--window", "month", "--window", "quarter", "--window", "sliding:60"]
    alerts, _, counts = _replay(tmp_path / "windows", *windows, "--every", "1w")
    today = date(2024, 4, 9)
    instances: dict[str, list[Case]] = defaultdict(list)
    for case in _latest(_messages()).values():
        day = case[0]
        instances[f"{day.year}-{day.month:02}"].append(case)
        instances[f"{day.year}-Q{(day.month - 1) // 3 + 1}"].append(case)
        if today - day < timedelta(days=60):
            instances["sliding-60d"].append(case)
    found: dict[str, Counts] = defaultdict(dict)
    for window, drug, event, *cell in counts.iter_rows():
        found[window][drug, event] = tuple(cell)
    assert found == {label: _table(cases) for label, cases in instances.items()}
    assert {alert["window"]["label"] for alert in alerts} <= {*instances}
    assert "2024-Q1" in {alert["window"]["label"] for alert in alerts}
    for alert in alerts:
        window = alert["window"]
        assert window["first_day"] <= alert["first_received"]
        assert alert["last_received"] <= window["last_day"]
