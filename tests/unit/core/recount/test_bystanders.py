"""Products that explain an alert, recomputed from joined names."""

import polars as pl
import pytest

from schemas.alert import Alert
from streams.core.recount.bystanders import explained_values
from tests.support.alerts import signal

ASKED = {"explained_by": ()}  # an alert of an older version has None

DAY = 19_723  # 2024-01-01, the last day of the alert


def _cases(*groups: tuple[str, str, int]) -> pl.DataFrame:
    """Return so many cases of each group of drugs and event."""
    rows = [(drugs, event) for drugs, event, n in groups for _ in range(n)]
    return pl.DataFrame(
        {
            "day": DAY,
            "band": 3,
            "sex": ["male" if place % 2 else "female" for place in range(len(rows))],
            "drugs": [
                "".join(f"\x1f{name}" for name in drugs.split()) + "\x1f" for drugs, _ in rows
            ],
            "events": [f"\x1f{event}\x1f" for _, event in rows],
            "drug_spellings": [drugs.upper().replace(" ", "\x1f") for drugs, _ in rows],
        }
    )


GROUPS = (
    *(("iron", "ache", 2_000), ("zinc", "ache", 200), ("iron", "rash", 20)),
    *(("culprit", "rash", 24), ("culprit", "ache", 100)),
    *(("culprit zinc", "ache", 26), ("culprit zinc", "rash", 6), ("zinc", "rash", 2)),
)


def _alert(drug: str = "zinc") -> Alert:
    return signal(8, drug=drug, event="rash").model_copy(update=ASKED)


def test_the_bystander_is_explained_by_the_culprit_alone() -> None:
    cases = _cases(*GROUPS)
    (found,) = explained_values(_alert(), cases)["explained_by"] or ()
    assert (found.product, found.n_shared, found.share) == ("CULPRIT", 6, 0.75)
    assert found.counts_without.model_dump() == {
        "n_observed": 2,
        "n_drug": 202,
        "n_event": 22,
        "n_total": 2_222,
    }
    # 101 of 1,111 cases of each sex name zinc, and 11 have the event
    assert found.expected_without == pytest.approx(2 * 101 * 11 / 1_111, rel=1e-15)
    assert found.ic_lower_without < 0 == found.ic_without
    assert explained_values(_alert("culprit"), cases) == {"explained_by": ()}


def test_a_lot_is_not_asked_and_explains_nothing() -> None:
    cases = _cases(*((drugs.replace("culprit", "lot:X1"), event, n) for drugs, event, n in GROUPS))
    assert explained_values(_alert(), cases) == {"explained_by": ()}
    assert explained_values(_alert("lot:X1"), cases) == {"explained_by": None}
    ended = _alert().model_copy(update={"rules_fired": ()})
    assert explained_values(ended, _cases(*GROUPS)) == {"explained_by": None}


def test_an_alert_of_an_older_version_has_nothing_to_compare() -> None:
    older = _alert().model_copy(update={"explained_by": None})
    assert explained_values(older, _cases(*GROUPS)) == {}
