"""Preview of a subscription: the very copies that match, with their days where a tier has them."""

from datetime import date

import pytest

from schemas.subscription import Filters, Stream, Subscription, Tier
from streams.delivery.api.service import Service
from streams.delivery.api.subscriptions.previews import preview_of
from streams.delivery.matching import would_send
from tests.support.assessments import LOT, SDR


def _wanted(tier: Tier, **filters: object) -> Subscription:
    return Subscription(
        subscription_id="s",
        subscriber="PMDA",
        tier=tier,
        channel=Stream(),
        filters=Filters.model_validate(filters),
    )


@pytest.mark.parametrize("tier", list(Tier))
def test_it_counts_what_would_be_sent(service: Service, tier: Tier) -> None:
    found = preview_of(service, _wanted(tier))
    with service.model() as model:
        published = list(model.between(tier, 0, model.last_position(), since=date.min))
    recent = [copy for copy in published if _recent(copy)]
    assert found.by_category_and_kind == would_send(_wanted(tier), recent)
    assert len(found.copies) == found.by_category_and_kind.total() > 0


def _recent(copy: dict[str, object]) -> bool:
    latest = max(SDR.evaluated_on, LOT.evaluated_on)
    month = str(copy.get("evaluated_on", copy.get("evaluated_in")))[:7]
    return (latest - date.fromisoformat(f"{month}-01")).days <= 120


def test_days_are_those_of_evaluation_and_none_for_the_public(service: Service) -> None:
    found = preview_of(service, _wanted(Tier.AUTHORITY, categories=("SDR",)))
    assert found.by_day == {SDR.evaluated_on: 1}
    assert preview_of(service, _wanted(Tier.PUBLIC, categories=("SDR",))).by_day == {}
