"""A detector's view and the cases known at a position are both taken where cases are asked for."""

from streams.core.cases.strata import default_age_bands
from streams.core.counting.case_history import CaseHistory
from streams.core.counting.coded_cases import CodedCases
from tests.support.explained import explained_run, run


def test_both_have_every_part() -> None:
    parts = [name for name in vars(CodedCases) if not name.startswith("_")]
    assert parts
    for cases in (CaseHistory(default_age_bands()).known({}), explained_run(run()).view):
        assert all(hasattr(cases, name) for name in parts)
