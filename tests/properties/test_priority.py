"""The priority of any alert: parts drop out, more is never less, all is recomputed."""

from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alert import Alert, SignalGrade
from streams.core.alerts.priority import level_thresholds, priority_on, priority_rules
from tests.support.alerts import signal

DAY = date(2024, 1, 1)
COUNTS = st.integers(0, 500)
BITS = st.floats(-6, 9, allow_subnormal=False)
STATED = st.fixed_dictionaries(
    {
        "n": COUNTS,
        "n_serious": COUNTS,
        "n_drug_recent": st.none() | st.integers(0, 63),
        "first_alert_on": st.none() | st.integers(0, 4000).map(lambda age: DAY - timedelta(age)),
        "grade": st.sampled_from(SignalGrade),
        "ic": BITS,
        "width": st.floats(0, 4),
    }
)


def alert(stated: dict[str, Any]) -> Alert:
    """Return an alert that states these values, with as many serious cases as cases at most."""
    found = signal(stated["n"], grade=stated["grade"])
    lower = stated["ic"] - stated["width"]
    bits = {"ic_adjusted": stated["ic"], "ic_lower_adjusted": lower}
    return found.model_copy(
        update={
            "statistics": found.statistics.model_copy(update=bits),
            "n_serious": min(stated["n_serious"], stated["n"]),
            "n_drug_recent": stated["n_drug_recent"],
            "first_alert_on": stated["first_alert_on"],
        }
    )


@given(STATED)
def test_a_part_that_is_not_stated_drops_out(stated: dict[str, Any]) -> None:
    whole = priority_on(alert(stated), DAY)
    without = priority_on(alert(stated | {"n_drug_recent": None, "first_alert_on": None}), DAY)
    assert whole.factors is not None
    assert without.factors is not None
    kept = {name: whole.factors[name] for name in ("evidence", "seriousness", "grade")}
    assert without.factors == {**dict.fromkeys(whole.factors, 1.0), **kept}


@given(STATED, st.integers(1, 400))
def test_more_evidence_cases_or_news_never_lowers_it(stated: dict[str, Any], more: int) -> None:
    least = priority_on(alert(stated), DAY).total
    greater = {
        "n_serious": stated["n_serious"] + more,
        "ic": stated["ic"] + more / 100,
        "n_drug_recent": min(63, (stated["n_drug_recent"] or 0) + more),
        "grade": SignalGrade.ALARM,
    }
    for name, value in greater.items():
        if stated[name] is not None:
            changed = {name: value}
            assert priority_on(alert(stated | changed), DAY).total >= least, name
    assert priority_on(alert(stated), DAY + timedelta(days=more)).total <= least


@given(STATED, st.integers(0, 900))
def test_any_day_is_recomputed_from_the_written_alert(stated: dict[str, Any], later: int) -> None:
    made = alert(stated)
    thresholds = level_thresholds([stated["ic"] / 10 + 0.6] * 25)
    made = made.model_copy(update={"priority": priority_on(made, DAY, thresholds)})
    read = Alert.model_validate_json(made.model_dump_json())
    assert priority_on(read, DAY) == made.priority
    day = DAY + timedelta(days=later)
    assert priority_on(read, day) == priority_on(made, day)


@settings(max_examples=50)
@given(st.lists(STATED, min_size=20, max_size=60))
def test_of_distinct_totals_each_level_is_used(many: list[dict[str, Any]]) -> None:
    alerts = [alert(stated) for stated in many]
    totals = {priority_on(each, DAY).total: each for each in alerts}
    levels = priority_rules().levels
    if len(totals) < levels.fewest_signals:
        return
    thresholds = level_thresholds(list(totals))
    found = [priority_on(each, DAY, thresholds).level.value for each in totals.values()]
    assert set(found) == {"high", "medium", "low"}
    assert found.count("high") <= levels.high_share * len(found) + 1
