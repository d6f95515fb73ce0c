"""Rules with their values now, what would turn them off, and since when they are on."""

from datetime import date

from schemas.alert import Alert
from streams.console.signal.rules_table import rule_rows
from streams.core.wording.catalogue import Language
from tests.support.signal_pages import ReplayedDesk


def _of_pair(amended: ReplayedDesk) -> list[Alert]:
    return [one for one in amended.alerts if one.signal_key == "zinc|rash|cumulative"]


def test_a_rule_has_its_inequality_its_value_and_its_exit(amended: ReplayedDesk) -> None:
    alerts = _of_pair(amended)
    (row,) = rule_rows(alerts, Language.ENGLISH)
    assert (row.name, row.state) == ("MHRA", "met")
    assert "≥ 3" in row.condition
    assert ">=" not in row.condition + row.ends
    assert dict(row.values)["cases"] == str(alerts[-1].counts.n_observed)


def test_the_fewest_removals_are_those_of_the_alert(amended: ReplayedDesk) -> None:
    alerts = _of_pair(amended)
    (row,) = rule_rows(alerts, Language.ENGLISH)
    fragility = alerts[-1].rules[0].fragility
    assert fragility is not None
    assert {one.what: one.n for one in row.removals} == {
        name: getattr(fragility, name) for name in ("cases", "sources", "lots", "links")
    }
    assert all(one.at_most == (one.what in fragility.at_most) for one in row.removals)


def test_on_since_goes_back_to_the_last_revision_without_the_rule(amended: ReplayedDesk) -> None:
    alerts = _of_pair(amended)
    assert rule_rows(alerts, Language.ENGLISH)[0].on_since == date(2024, 1, 7)
    off = alerts[2].model_copy(update={"rules_fired": ()})
    broken = [*alerts[:2], off, *alerts[3:]]
    assert rule_rows(broken, Language.ENGLISH)[0].on_since == alerts[3].evaluated_on


def test_a_rule_that_is_off_or_held_says_so(amended: ReplayedDesk) -> None:
    alert = _of_pair(amended)[-1]
    rule = alert.rules[0]
    for fired, held, state in ((False, False, "off"), (True, True, "held")):
        changed = rule.model_copy(update={"fired": fired, "held": held, "fragility": None})
        (row,) = rule_rows([alert.model_copy(update={"rules": (changed,)})], Language.ENGLISH)
        assert (row.state, row.removals) == (state, ())
        assert (row.on_since is None) == (not fired)
