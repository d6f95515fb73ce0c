"""An OpenID provider of the tests: metadata, keys, and tokens as they are asked for."""

import hmac
import json
import tomllib
from base64 import urlsafe_b64encode
from typing import Any

import httpx2
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from streams.console.access.openid import OpenIdProvider, OpenIdSettings, PendingSignIn

__all__ = ["CLIENT", "ISSUER", "NOW", "REDIRECT", "SETTINGS", "SETTINGS_TOML", "Issuer"]

ISSUER = "https://issuer.example"
CLIENT = "the-desk"
REDIRECT = "https://desk.example/desk/sign-in/answer"
NOW = 1_700_000_000
SETTINGS_TOML = f"""
issuer = "{ISSUER}"
client_id = "{CLIENT}"
groups.assessors = {{ tier = "authority", scopes = ["alerts:read", "decisions:write"] }}
groups.partners = {{ tier = "consumer", scopes = ["alerts:read"] }}
"""
SETTINGS = OpenIdSettings.model_validate_json(json.dumps(tomllib.loads(SETTINGS_TOML)))


class Issuer:
    """A provider whose answers a test may change.

    Attributes
    ----------
    issuer
        Issuer that its metadata states.
    claims
        Changes of the claims of the next token; None removes one.
    algorithm
        Algorithm of the next token.
    signed_by
        Key of the next token; None: the published one.
    asked
        Paths that were asked for, in order, and forms that were posted.
    """

    def __init__(self) -> None:
        self.issuer = ISSUER
        self.claims: dict[str, Any] = {}
        self.algorithm = "RS256"
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.pending: PendingSignIn | None = None
        self.keys: list[RSAKey] = []
        self.signed_by: RSAKey | None = None
        self.rotate()

    def rotate(self) -> None:
        """Sign by a new key from now on, and publish it alone."""
        self.keys = [RSAKey.generate_key(2048, {"kid": f"key-{len(self.asked)}"})]

    def provider(self) -> OpenIdProvider:
        """Return a client of this provider."""
        return OpenIdProvider(
            SETTINGS,
            secret="client secret",
            redirect=REDIRECT,
            transport=httpx2.MockTransport(self._answer),
        )

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path)
        if request.url.path.endswith("openid-configuration"):
            return httpx2.Response(200, json=self._metadata())
        if request.url.path == "/keys":
            published = KeySet(list(self.keys)).as_dict(private=False)
            return httpx2.Response(200, json=published)
        if request.url.path == "/token":
            form = dict(pair.split("=", 1) for pair in request.content.decode().split("&"))
            self.forms.append(form)
            return httpx2.Response(200, json={"access_token": "x", "id_token": self.token()})
        return httpx2.Response(404)

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def token(self) -> str:
        """Return an ID token to the pending sign-in."""
        assert self.pending is not None
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "sub": "7",
            "aud": CLIENT,
            "iat": NOW,
            "exp": NOW + 300,
            "nonce": self.pending.nonce,
            "name": "M. Okafor",
            "groups": ["assessors"],
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        key = self.signed_by or self.keys[0]
        header = {"alg": self.algorithm, "kid": str(key.kid)}
        if self.algorithm == "none":
            return f"{_part(header)}.{_part(claims)}."
        if self.algorithm.startswith("HS"):  # the public key as a shared secret
            signed = f"{_part(header)}.{_part(claims)}"
            digest = f"sha{self.algorithm.removeprefix('HS')}"
            mac = hmac.new(key.as_pem(private=False), signed.encode(), digest).digest()
            return f"{signed}.{_encoded(mac)}"
        return jwt.encode(header, claims, key)


def _part(content: dict[str, Any]) -> str:
    return _encoded(json.dumps(content).encode())


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")
