from datetime import date

import pytest

from schemas.errors import InputError
from schemas.notice import Usage
from streams.core.safety.sports_rules import Criterion, check_usage, read_usage_rules, usage_rules

DAY = date(2024, 3, 20)
LEGITIMATE = {
    "approved": True,
    "within_indication": True,
    "record_diagnosis": True,
    "record_basis": True,
    "record_drug": True,
    "record_amount": True,
    "record_method": True,
}


def check(*usages):
    return check_usage([(DAY, usage) for usage in usages], usage_rules())


def given(volume, *, person="A-1", setting="clinic", route="intravenous", **fields):
    return Usage(
        person=person,
        volume_ml=volume,
        setting=setting,
        route=route,
        athlete=fields.pop("athlete", True),
        **{**LEGITIMATE, **fields},
    )


def test_the_three_athletes_of_the_note():
    facts = {"hours": 12.0, "approved": False, "setting": None}
    found = check(
        *(
            given(volume, person=person, **facts)
            for person, volume in [("A-1", 250.0), ("A-2", 250.0), ("A-3", 80.0)]
        )
    )
    # Where it was given is not known, so the limit is possibly broken, and no more is said.
    assert [f.above_limit for f in found] == [Criterion.OPEN, Criterion.OPEN, Criterion.MET]
    assert [f.approval for f in found] == [Criterion.FAILED] * 3
    assert all(f.to_report for f in found)
    assert found[2].reasons == ("approval_failed",)


@pytest.mark.parametrize(
    ("volume", "answer"), [(100.0, Criterion.MET), (100.1, Criterion.FAILED), (None, Criterion.MET)]
)
def test_the_limit_itself_is_allowed(volume, answer):
    assert check(given(volume))[0].above_limit is answer


def test_volumes_of_one_person_and_day_add_up():
    assert check(given(60.0), given(60.0))[0].above_limit is Criterion.FAILED
    assert [f.above_limit for f in check(given(60.0), given(60.0, person="B"))] == [
        Criterion.MET
    ] * 2
    other_day = given(60.0, given_on=date(2024, 3, 21))
    assert check(given(60.0), other_day)[0].above_limit is Criterion.MET


def test_exceptions_routes_and_rates():
    assert check(given(250.0, setting="surgery"))[0].above_limit is Criterion.MET
    assert check(given(250.0, route="oral"))[0].above_limit is Criterion.MET
    assert check(given(250.0, route="点滴"))[0].above_limit is Criterion.FAILED
    assert check(given(150.0, hours=24.0))[0].above_limit is Criterion.MET  # 75 mL in 12 hours
    assert check(given(150.0, hours=6.0))[0].above_limit is Criterion.FAILED


def test_missing_is_not_false():
    unknown = check(given(10.0, record_basis=None, approved=None))[0]
    assert (unknown.record, unknown.approval) == (Criterion.OPEN, Criterion.OPEN)
    assert not unknown.to_report
    assert check(given(10.0, record_basis=False))[0].record is Criterion.FAILED


def test_who_is_no_athlete_is_passed_over():
    assert check(given(250.0, athlete=False)) == []


def test_rules_that_ask_for_what_is_not_there_are_refused():
    with pytest.raises(InputError, match="usage rules: must be TOML"):
        read_usage_rules("[")
    text = """
version = "1"
[volume]
more_than_ml = 100
within_hours = 12
routes = ["intravenous"]
exceptions = []
source = "s"
[legitimacy]
record_items = ["diagnosis"]
approval_items = ["approved"]
source = "s"
"""
    with pytest.raises(InputError, match="items must be fields of a usage; got 'diagnosis'"):
        read_usage_rules(text)
    with pytest.raises(InputError, match=r"volume\.more_than_ml"):
        read_usage_rules(text.replace("= 100", "= -1"))
