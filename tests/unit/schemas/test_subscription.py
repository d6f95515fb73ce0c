"""What a subscription must say of its receiver."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.subscription import Subscription
from tests.support.alerts import subscription


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"secrets": ()}, "secrets must name an environment variable"),
        ({"url": "ftp://x"}, r"url\n.*should match pattern"),
        ({"subscription_id": "a b"}, r"subscription_id\n.*should match pattern"),
    ],
)
def test_a_subscription_without_a_key_or_with_a_strange_address_is_refused(
    change: dict[str, Any], rule: str
) -> None:
    with pytest.raises(ValidationError, match=rule):
        Subscription.model_validate({**subscription().model_dump(), **change})
