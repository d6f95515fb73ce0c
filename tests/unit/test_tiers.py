"""What each tier sees of who reported the cases of a signal."""

import json
from datetime import date

from schemas.alert import Burst, Counts, Restricted, RestrictedStatistics
from schemas.subscription import Tier
from streams.delivery.tiers import copy_for
from tests.unit.test_delivery import KEY, signal


def burst_signal(n_cases=500, n=503):
    counts = Counts(n_observed=n - n_cases, n_drug=40, n_event=160, n_total=20_000)
    burst = Burst(
        source="RIVAL LLC",
        received=date(2023, 12, 24),
        n_cases=n_cases,
        n_by_professional=7,
        counts_without=counts,
        rules_without=(),
        rules_not_asked=(),
    )
    restricted = Restricted(
        indication="cancer",
        n_stating=9,
        counts=counts,
        statistics=RestrictedStatistics(**dict.fromkeys(RestrictedStatistics.model_fields, 1.25)),
        rules_fired=(),
        rules_not_asked=(),
        supported=False,
    )
    found = {
        "n_by_professional": 13,
        "n_sources": 17,
        "countries": ("JP", "LI"),
        "completeness": 43.5,
        "n_suspected_duplicates": 19,
        "burst": burst,
        "indication_confounding": True,
        "restricted": restricted,
        "sentence": "500 of the 503 cases came from one source on one day",
    }
    return signal(n).model_copy(update=found)


def test_a_consumer_sees_the_counts_of_a_burst_and_not_whose_it_was():
    copy = copy_for(Tier.CONSUMER, burst_signal(), key=KEY)
    assert copy["burst"]["n_cases"] == 500
    assert (copy["n_sources"], copy["countries"]) == (17, ["JP", "LI"])
    assert copy["restricted"]["supported"] is False
    assert "RIVAL" not in json.dumps(copy)
    assert "RIVAL LLC" in json.dumps(copy_for(Tier.AUTHORITY, burst_signal(), key=KEY))
    assert copy_for(Tier.CONSUMER, signal(), key=KEY)["burst"] is None


def test_the_public_copy_is_the_same_whoever_reported():
    plain, told = (copy_for(Tier.PUBLIC, alert, key=KEY) for alert in (signal(503), burst_signal()))
    assert told == plain
    for word in ("RIVAL", "JP", "LI", "43.5", "13", "17", "19", "2023-12", "503"):
        assert word not in json.dumps(told)
