"""Identity of alerts: ids of revisions and of snapshots."""

import hashlib
from datetime import date
from typing import Any

from schemas.alert import InputOffset, Window, WindowKind
from schemas.strata import Strata
from streams.core.alerts.identity import alert_id, snapshot_id

DAY = date(2024, 1, 31)


def test_the_id_of_a_revision_is_a_hash_of_four_parts() -> None:
    found = alert_id("a|b|c", "rules", "policy", 2)
    assert found == hashlib.sha256(b"a|b|c\nrules\npolicy\n2").hexdigest()[:32]
    others = [
        alert_id("a|b|d", "rules", "policy", 2),
        alert_id("a|b|c", "other", "policy", 2),
        alert_id("a|b|c", "rules", "other", 2),
        alert_id("a|b|c", "rules", "policy", 3),
    ]
    assert len({found, *others}) == 5


def test_an_id_of_a_snapshot_is_that_of_all_it_was_made_from() -> None:
    as_of = (InputOffset(topic="t", partition=0, next_offset=7),)
    window = Window(
        kind=WindowKind.MONTH, label="2024-01", first_day=date(2024, 1, 1), last_day=DAY
    )
    whole: dict[str, Any] = {
        "as_of": as_of,
        "window": window,
        "evaluated_on": DAY,
        "rules_hash": "r",
        "policy_hash": "p",
        "prior_id": None,
        "prior_id_adjusted": None,
        "tested_through": None,
        "strata": Strata(age_bands=(18.0,)),
        "code_version": "1",
    }
    others = {
        "as_of": (*as_of, InputOffset(topic="t", partition=1, next_offset=0)),
        "window": window.model_copy(update={"label": "2024-02"}),
        "evaluated_on": date(2024, 2, 1),
        "rules_hash": "p",
        "policy_hash": "r",
        "prior_id": "x",
        "prior_id_adjusted": "x",
        "tested_through": 3,
        "strata": Strata(age_bands=(18.0, 65.0)),
        "code_version": "2",
    }
    ids = [snapshot_id(**whole), *(snapshot_id(**{**whole, n: v}) for n, v in others.items())]
    assert len(set(ids)) == len(ids) == 11
    assert all(len(one) == 64 for one in ids)
    assert snapshot_id(**whole) == ids[0]
