"""Why rules fire, what was published, and the bound calibrated by controls."""

import math
from pathlib import Path

import pytest

from detectors.rules import load_rules
from streams.core.explanation.section import Section
from tests.support.explained import in_order, run, sections
from tests.support.replays import Replayed, replayed


@pytest.fixture(scope="module")
def done() -> Replayed:
    return run()


@pytest.fixture(scope="module")
def found(done: Replayed) -> dict[str, Section]:
    return sections(done)


def test_each_condition_has_its_value_and_outcome(found: dict[str, Section]) -> None:
    rows = found["rules"].rows
    assert [(row["condition"], row["outcome"], row["exit"]) for row in rows] == [
        ("prr >= 2", "met", 1.68),
        ("chi2_yates >= 4", "met", 2.71),
        ("n_observed >= 3", "met", 3.0),
    ]
    assert rows[0]["value"] == pytest.approx((10 / 18) / (6 / 106))
    assert all((row["fires"], row["on"]) == (True, True) for row in rows)


def test_a_rule_that_does_not_fire_shows_which_condition_fails(done: Replayed) -> None:
    rows = sections(done, ("lead", "rash"))["rules"].rows
    assert [row["outcome"] for row in rows] == ["not met", "not met", "met"]
    assert all((row["fires"], row["on"]) == (False, False) for row in rows)


def test_rules_with_alternatives_are_said_in_words(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(
        '[either]\ntitle = "Either"\nsource = "test"\nany = [\n'
        '  { statistic = "prr", op = ">=", value = 99 },\n'
        '  { statistic = "n_observed", op = ">=", value = 3 },\n]\n'
    )
    section = sections(replayed(in_order(), rules=load_rules(path)))["rules"]
    assert [(row["outcome"], row["fires"]) for row in section.rows] == [
        ("not met", True),
        ("met", True),
    ]
    assert (section.remark or "").startswith("either is Either: ")


def test_published_revisions_are_those_of_the_signal(
    done: Replayed, found: dict[str, Section]
) -> None:
    own = [alert for alert in done.alerts if (alert.drug, alert.event) == ("zinc", "rash")]
    assert [row["revision"] for row in found["alerts"].rows] == [alert.revision for alert in own]
    assert own
    assert found["alerts"].remark == own[-1].headline
    assert found["alerts"].rows[0]["rules"] == "mhra"
    nothing = sections(done, ("iron", "rash"))["alerts"]
    assert nothing.rows == [] or nothing.rows[0]["revision"] == 1
    assert sections(done, ("gold", "rash"))["alerts"].remark == (
        "None: no rule was on at any evaluation."
    )


def test_what_turns_a_rule_off_is_that_of_the_latest_alert(
    done: Replayed, found: dict[str, Section]
) -> None:
    own = [alert for alert in done.alerts if (alert.drug, alert.event) == ("zinc", "rash")]
    fragility = own[-1].rules[0].fragility
    assert fragility is not None
    assert fragility.cases is not None
    (row,) = found["fragility"].rows
    bound = "cases" in fragility.at_most
    assert row["cases"] == (f"at most {fragility.cases}" if bound else fragility.cases)
    assert (row["rule"], row["lots"]) == ("mhra", "all")
    assert sections(done, ("gold", "rash"))["fragility"].remark == "No rule is on."


def test_the_calibrated_bound_needs_ten_controls_with_a_case(done: Replayed) -> None:
    few = [("lead", "fever"), ("gold", "cough")]
    section = sections(done, controls=few)["calibrated"]
    assert section.rows == []
    assert (section.remark or "").startswith("2 controls, 2 of them with a case. At least 10")
    assert "No negative controls" in (sections(done)["calibrated"].remark or "")


def test_controls_with_a_bias_lower_the_bound(done: Replayed) -> None:
    """Every pair of the population as a control: their mean is above 0, their spread wide."""
    counts = done.run.detector.all_counts()
    pairs = counts.select("drug", "event").rows()
    section = sections(done, controls=[*pairs, ("absent", "rash"), ("zinc", "absent")])[
        "calibrated"
    ]
    if len(pairs) < 10:
        assert section.rows == []
        return
    (row,) = section.rows
    assert row["log2_lower_calibrated"] < row["log2_ratio"] - row["log2_mean_of_controls"]
    assert math.isfinite(row["log2_sd_of_controls"])
