"""Sign-in by an OpenID provider: what is accepted, and each answer that is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from schemas.errors import InputError
from schemas.subscription import Tier
from streams.console.access.accounts import SignInRefused
from streams.console.access.openid import OpenIdProvider, OpenIdSettings, PendingSignIn
from streams.delivery.api.tokens import Scope
from tests.support.openid import CLIENT, ISSUER, NOW, REDIRECT, SETTINGS, SETTINGS_TOML, Issuer

BEGUN = PendingSignIn("state", "nonce", "a verifier of more than forty-three characters, as asked")
AT = datetime.fromtimestamp(NOW, UTC)


@pytest.fixture
def issuer() -> Issuer:
    found = Issuer()
    found.pending = BEGUN
    return found


def test_a_person_is_sent_with_a_challenge_and_a_nonce(issuer: Issuer) -> None:
    parts = urlsplit(issuer.provider().address(BEGUN))
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{ISSUER}/authorize"
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert query["redirect_uri"] == REDIRECT
    assert (query["state"], query["nonce"]) == ("state", "nonce")
    assert query["code_challenge_method"] == "S256"
    assert BEGUN.verifier not in parts.query


def test_an_identity_has_the_tier_and_scopes_of_its_group(issuer: Issuer) -> None:
    identity = issuer.provider().identity(BEGUN, "a code", AT)
    assert (identity.name, identity.tier) == ("M. Okafor", Tier.AUTHORITY)
    assert identity.scopes == {Scope.ALERTS_READ, Scope.DECISIONS_WRITE}
    assert issuer.forms[0]["code_verifier"].startswith("a+verifier")


def test_of_several_groups_the_highest_tier_counts_alone(issuer: Issuer) -> None:
    issuer.claims = {"groups": ["partners", "strangers", "assessors"]}
    assert issuer.provider().identity(BEGUN, "c", AT).tier is Tier.AUTHORITY
    issuer.claims = {"groups": "partners"}
    assert issuer.provider().identity(BEGUN, "c", AT).tier is Tier.CONSUMER


REFUSED: dict[str, dict[str, Any]] = {
    "wrong issuer": {"iss": "https://other.example"},
    "no issuer": {"iss": None},
    "wrong audience": {"aud": "another-client"},
    "several audiences, not for us": {"aud": [CLIENT, "b"], "azp": "b"},
    "expired": {"exp": NOW - 61},
    "no expiry": {"exp": None},
    "not yet valid": {"nbf": NOW + 120},
    "another nonce": {"nonce": "of an earlier sign-in"},
    "no nonce": {"nonce": None},
    "no subject": {"sub": None},
    "no group of ours": {"groups": ["strangers"]},
    "no groups": {"groups": None},
}


@pytest.mark.parametrize("claims", REFUSED.values(), ids=REFUSED.keys())
def test_other_claims_are_refused(issuer: Issuer, claims: dict[str, Any]) -> None:
    issuer.claims = claims
    with pytest.raises(SignInRefused) as refused:
        issuer.provider().identity(BEGUN, "c", AT)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS512"])
def test_a_downgraded_signature_is_refused(issuer: Issuer, algorithm: str) -> None:
    issuer.algorithm = algorithm
    with pytest.raises(SignInRefused, match="signed by the provider"):
        issuer.provider().identity(BEGUN, "c", AT)


def test_a_token_of_another_key_is_refused(issuer: Issuer) -> None:
    other = Issuer()
    other.pending = BEGUN
    issuer.signed_by = other.keys[0]
    with pytest.raises(SignInRefused, match="signed by the provider"):
        issuer.provider().identity(BEGUN, "c", AT)


def test_rotated_keys_are_read_again_once(issuer: Issuer) -> None:
    provider = issuer.provider()
    provider.identity(BEGUN, "c", AT)
    issuer.rotate()
    # Within 30 s of the last reading a stranger's token cannot make us read them again.
    with pytest.raises(SignInRefused):
        provider.identity(BEGUN, "c", AT + timedelta(seconds=10))
    assert issuer.asked.count("/keys") == 1
    assert provider.identity(BEGUN, "c", AT + timedelta(seconds=31)).name == "M. Okafor"
    assert issuer.asked.count("/keys") == 2


def test_metadata_of_another_issuer_is_refused(issuer: Issuer) -> None:
    issuer.issuer = "https://other.example"
    with pytest.raises(SignInRefused, match="issuer must be"):
        issuer.provider().address(BEGUN)


def test_a_group_may_not_have_what_its_tier_may_not() -> None:
    beyond = (
        SETTINGS.model_dump_json()
        .replace("consumer", "public")
        .replace('"scopes":["alerts:read"]', '"scopes":["decisions:write"]')
    )
    with pytest.raises(InputError, match="authority tier"):
        OpenIdProvider(OpenIdSettings.model_validate_json(beyond), secret="", redirect=REDIRECT)


def test_claims_are_of_their_own_sign_in(issuer: Issuer) -> None:
    provider = issuer.provider()
    with pytest.raises(SignInRefused, match="nonce"):
        provider.identity(replace(BEGUN, nonce="of another"), "c", AT)


def test_settings_are_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "openid.toml"
    path.write_text(SETTINGS_TOML, encoding="utf-8")
    assert OpenIdSettings.load(path) == SETTINGS
    path.write_text(SETTINGS_TOML.replace("authority", "everything"), encoding="utf-8")
    with pytest.raises(InputError, match=r"openid.toml: must be settings(.|\n)*tier"):
        OpenIdSettings.load(path)
    with pytest.raises(InputError, match="must be settings"):
        OpenIdSettings.load(tmp_path / "none.toml")
