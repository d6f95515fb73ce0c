"""What a reader knows: before the first sign-off, after it, and by the address."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl

from schemas.subscription import Tier
from streams.console.readers import Readers, SeenRevision
from streams.console.worklist.baseline import FIRST_DAYS, Baseline, baseline_of
from streams.delivery.api.service import Service
from tests.support.many_signals import LAST_DAY, many_signals, next_revision, store

TIER = Tier.AUTHORITY


def asked(readers: Readers, name: str = "Okafor", since: date | None = None) -> Baseline:
    return baseline_of(readers, name, TIER, closed=LAST_DAY, since=since)


def changed(baseline: Baseline, rows: dict[str, list[object]]) -> list[bool]:
    frame = pl.DataFrame(rows).join(baseline.seen, on="key", how="left", maintain_order="left")
    return frame.select(baseline.is_changed()).to_series().to_list()


def test_before_the_first_sign_off_a_week_of_data_is_new(tmp_path: Path) -> None:
    week = LAST_DAY - timedelta(days=FIRST_DAYS)
    with Readers(tmp_path / "readers.db") as readers:
        for name in ("Okafor", ""):
            found = asked(readers, name)
            assert (found.known_until, found.signed_until) == (week, None)
    days = [week, week + timedelta(days=1)]
    rows: dict[str, list[object]] = {"key": ["a", "b"], "revision": [9, 1], "day": list(days)}
    assert changed(found, rows) == [False, True]


def test_what_was_signed_off_is_new_again_with_its_next_revision(tmp_path: Path) -> None:
    with Readers(tmp_path / "readers.db") as readers:
        readers.sign_off(
            "Okafor", TIER.value, [SeenRevision("a", 2)],
            known_until=date(2024, 5, 20), signed_until=date(2024, 5, 27),
        )  # fmt: skip
        found = asked(readers)
    assert (found.known_until, found.signed_until) == (date(2024, 5, 20), date(2024, 5, 27))
    later = date(2024, 5, 30)
    rows: dict[str, list[object]] = {
        "key": ["a", "a", "b", "b"],
        "revision": [2, 3, 1, 1],
        "day": [later, later, later, date(2024, 5, 20)],
    }
    assert changed(found, rows) == [False, True, True, False]


def test_the_day_of_an_address_overrides_sign_offs(tmp_path: Path) -> None:
    with Readers(tmp_path / "readers.db") as readers:
        readers.sign_off(
            "Okafor",
            TIER.value,
            [SeenRevision("a", 2)],
            known_until=LAST_DAY,
            signed_until=LAST_DAY,
        )
        found = asked(readers, since=date(1999, 6, 8))
    assert (found.known_until, len(found.seen)) == (date(1999, 6, 8), 0)


def test_the_revision_before_is_the_one_seen_else_that_of_the_day(
    service: Service, tmp_path: Path
) -> None:
    copy = next(iter(many_signals(1)))
    key = copy["signal_key"]
    with service.model() as model, Readers(tmp_path / "other.db") as readers:
        store(model, [next_revision(copy, number) for number in (1, 2)])
        known = asked(readers, since=date.fromisoformat(copy["evaluated_on"]))
        assert known.before(model, TIER, key, 2) == next_revision(copy, 1)
        assert known.before(model, TIER, key, None) == copy
        assert asked(readers, since=date(1990, 1, 1)).before(model, TIER, key, None) is None
