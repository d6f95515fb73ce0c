"""Who owns subscriptions of a page: the operator on loopback, else a reader with a token."""

from pathlib import Path

import pytest

from schemas.subscription import Tier
from streams.delivery.api.tokens import Scope, reader_token_id
from tests.support.desk import Site


@pytest.mark.parametrize(("gated", "tokens"), [(False, 0), (True, 1)])
def test_only_readers_who_signed_in_have_a_token(tmp_path: Path, gated: bool, tokens: int) -> None:
    site = Site.of(tmp_path, [], gated=gated)
    browser = site.signed_in("A", Tier.CONSUMER) if gated else site.browser("A")
    assert browser.get("/desk/subscriptions").status_code == 200
    with site.service.tokens() as store:
        found = store.tokens()
    assert [token.token_id for token in found] == [reader_token_id("A")] * tokens
    assert all(token.tier is Tier.CONSUMER for token in found)
    assert all(Scope.SUBSCRIPTIONS_WRITE in token.scopes for token in found)
