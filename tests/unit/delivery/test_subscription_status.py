"""Keys of subscriptions: a name belongs to its subscriber."""

from streams.delivery.subscription_status import key_of
from tests.support.alerts import subscription


def test_subscribers_have_names_of_their_own() -> None:
    one = subscription(name="hook")
    others = [one.model_copy(update={"subscriber": "EMA"}), subscription(name="other")]
    assert len({key_of(each) for each in (one, *others)}) == 3
    assert key_of(one) == "PMDA\x1fhook"
