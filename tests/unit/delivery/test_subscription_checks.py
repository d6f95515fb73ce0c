"""Checks of a subscription when it is saved."""

import pytest

from schemas.errors import InputError
from schemas.subscription import Filters, OwnTopic, Subscription, Tier, Webhook
from streams.delivery.sending.webhook_url import AllowedHosts
from streams.delivery.subscription_checks import MOST_FILTER_VALUES, require_sendable
from tests.support.alerts import SECRET, subscription


def webhook(url: str = "https://a.example/") -> Subscription:
    channel = Webhook(url=url)
    fields = {"channel": channel, "url": None, "secrets": ()}
    return subscription().model_copy(update=fields)


def test_what_can_be_sent_is_accepted() -> None:
    require_sendable(subscription(), environment={"HOOK": SECRET})
    require_sendable(webhook())
    require_sendable(webhook("http://10.0.0.1:8080/"), AllowedHosts(["10.0.0.1"]))
    filters = {
        "categories": ("sdr", "LOT_CLUSTER"),
        "kinds": ("NEW",),
        "families": ("infection",),
        "levels": ("product",),
        "products": ("iron",),
        "terms": ("Sepsis", "敗血症"),
        "classes": ("exosome",),
    }
    require_sendable(webhook().model_copy(update={"filters": Filters.asked(**filters)}))


@pytest.mark.parametrize("url", ["https://10.0.0.1/", "https://[2002:7f00:1::1]/", "https://a..b/"])
def test_a_url_that_is_never_sent_to_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="webhook: the URL must"):
        require_sendable(webhook(url))


def test_a_missing_key_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="HOOK: must hold base64"):
        require_sendable(subscription(), environment={})


def test_filters_of_another_tier_and_too_many_are_refused() -> None:
    with pytest.raises(InputError, match="may not ask by rules"):
        require_sendable(subscription(Tier.PUBLIC, rules=("ema",)), environment={"HOOK": SECRET})
    most = Filters(windows=("w",) * (MOST_FILTER_VALUES - 1))  # one more is the usual grade
    require_sendable(webhook().model_copy(update={"filters": most}))
    more = Filters(windows=("w",) * MOST_FILTER_VALUES)
    with pytest.raises(InputError, match="at most 200 values; got 201"):
        require_sendable(webhook().model_copy(update={"filters": more}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("families", "infektion"),
        ("categories", "sdrs"),
        ("kinds", "never"),
        ("levels", "city"),
        ("terms", "  "),
        ("products", "a\x1b[2J"),
        ("classes", " "),
    ],
)
def test_a_filter_that_no_alert_can_match_is_refused(field: str, value: str) -> None:
    asked = webhook().model_copy(update={"filters": Filters.asked(**{field: (value,)})})
    with pytest.raises(InputError, match=rf"subscription: {field} must be .*which no alert has"):
        require_sendable(asked)


def test_a_topic_that_kafka_refuses_is_refused() -> None:
    fields = {"channel": OwnTopic(topic=".."), "url": None, "secrets": ()}
    with pytest.raises(InputError, match="topic: must be a name that Kafka accepts"):
        require_sendable(subscription().model_copy(update=fields))
