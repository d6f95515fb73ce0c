"""The last suppressed change of each signal since its last revision."""

from datetime import date

from schemas.suppressed import Suppressed, SuppressionReason
from streams.console.suppressed_changes import SuppressedChanges


def change(key: str, day: int, n: int = 4) -> Suppressed:
    return Suppressed(
        signal_key=key,
        evaluated_on=date(2024, 5, day),
        reason=SuppressionReason.FEW_MORE_CASES,
        revision=1,
        n_observed=n,
        n_published=3,
    )


def test_the_last_change_of_a_signal_is_kept_and_the_last_day_is_first() -> None:
    changes = SuppressedChanges()
    for one in (change("b", 1), change("a", 2), change("b", 3, n=5), change("c", 2)):
        changes.add(one)
    assert len(changes) == 3
    found = [(one.signal_key, one.n_observed) for one in changes.latest_first()]
    assert found == [("b", 5), ("a", 4), ("c", 4)]


def test_a_published_revision_makes_a_change_moot() -> None:
    changes = SuppressedChanges()
    changes.add(change("a", 1))
    changes.published("a")
    changes.published("never suppressed")
    assert changes.latest_first() == []
