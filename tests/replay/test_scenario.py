"""The founding case, step by step, against the table published with it.

`golden/scenario.csv` holds its rows of valid, distinct, current cases: computed with scipy by
others, printed to 3 decimals. `primary_restricted_lung_cancer` are those among cases of cancer.
"""

import csv
from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest

from detectors.rules import load_rules
from schemas.alert import Alert, Counts, Statistics
from schemas.report import Report
from schemas.tables import RestrictedStatistics
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.demo import PRODUCT_CLASS, background, story
from streams.runtime.embedded.case_stage import CaseStage, Incoming, read_batch
from streams.runtime.state.case_store import MemoryStore
from tests.support.validity import require_valid

TABLE = Path(__file__).parent / "golden" / "scenario.csv"
COLUMNS = {
    "expected": "expected",
    **{"ror": "ror", "ror025": "ror_lower", "ror975": "ror_upper"},
    **{"prr": "prr", "chi2_yates": "chi2_yates"},
    **{"ic": "ic", "ic025": "ic_lower", "ic975": "ic_upper"},
}
RULES = """
any_case = { title = "any", source = "test", all = [
    { statistic = "n_observed", op = ">=", value = 1 },
] }
sdr = { title = "the table's rule", source = "the scenario", all = [
    { statistic = "n_observed", op = ">=", value = 3 },
    { statistic = "ror_lower", op = ">", value = 1 },
] }
"""


def _rows() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Alert]]:
    """What an alert would say of every pair of the product after each step, by step and event."""
    path = tmp_path_factory.mktemp("rules") / "rules.toml"
    path.write_text(RULES, encoding="utf-8")
    stage = CaseStage(MemoryStore(), partition=0, keep_outbox=False)
    detector = Detector([WindowSpec.parse("cumulative")], load_rules(path))
    steps: dict[int, list[Report]] = defaultdict(list, {0: list(background())})
    for entry in story():
        if isinstance(entry.item, Report):
            steps[entry.step].append(entry.item)
    said: dict[int, dict[str, Alert]] = {}
    offset = 0
    for step in range(18):
        messages = [Incoming(offset + at, report) for at, report in enumerate(steps[step])]
        first, offset = offset, offset + len(messages)
        versions, _ = read_batch(messages, source="demo", horizon=date(2030, 1, 1))
        if not messages:  # notices alone: nothing is counted, and nothing has to be said anew
            said[step] = said[step - 1]
            continue
        counted = stage.count(
            [version for _, version in versions], first_offset=first, next_offset=offset
        )
        assert detector.apply(counted.delta)
        detector.signals.clear()  # so that every pair is published again
        alerts = detector.evaluate(detector.watermark)
        for alert in alerts:
            require_valid(alert)
        said[step] = {alert.event: alert for alert in alerts if alert.drug == PRODUCT_CLASS}
    return said


def _printed(
    counts: Counts, statistics: Statistics | RestrictedStatistics, rules: tuple[str, ...]
) -> dict[str, str]:
    a = counts.n_observed
    b, c = counts.n_drug - a, counts.n_event - a
    cells = {"a": a, "b": b, "c": c, "d": counts.n_total - a - b - c}
    return {
        **{name: str(cell) for name, cell in cells.items()},
        **{name: f"{getattr(statistics, ours):.3f}" for name, ours in COLUMNS.items()},
        "sdr_ror025gt1_n3": str("sdr" in rules),
    }


def test_the_table_has_every_step_and_both_sets_of_cases() -> None:
    rows = _rows()
    assert len(rows) == 30
    assert {int(row["step"]) for row in rows if row["count_set"] == "primary"} == set(range(1, 18))
    assert sum(row["count_set"] == "primary_restricted_lung_cancer" for row in rows) == 4


@pytest.mark.parametrize("row", _rows(), ids=lambda row: "-".join(list(row.values())[:3]))
def test_every_step_gives_the_numbers_of_the_table(
    after: dict[int, dict[str, Alert]], row: dict[str, str]
) -> None:
    alert = after[int(row["step"])][row["pt"]]
    if row["count_set"] == "primary":
        found = _printed(alert.counts, alert.statistics, alert.rules_fired)
    else:
        assert alert.indication_confounding
        assert alert.restricted is not None
        assert alert.restricted.indication == "cancer"
        restricted = alert.restricted
        found = _printed(restricted.counts, restricted.statistics, restricted.rules_fired)
    assert found == {name: row[name] for name in found}


def test_only_the_progression_of_a_cancer_is_what_was_treated(
    after: dict[int, dict[str, Alert]],
) -> None:
    events = {alert.event for said in after.values() for alert in said.values() if alert.restricted}
    assert events == {"Malignant neoplasm progression"}
