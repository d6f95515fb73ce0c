"""Sign-in by an OpenID Connect provider: authorization code with PKCE, checked ID tokens.

Authlib checks the provider's metadata and the claims, joserfc the signature. Only signatures by
public keys are accepted: with `none`, or with a shared secret, anybody who knows the client could
make a token.
"""

import json
import threading
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import Field

from schemas.base import Message
from schemas.errors import InputError
from schemas.subscription import Tier
from streams.console.access.accounts import SignInRefused
from streams.delivery.api.tokens import Scope, require_allowed

__all__ = ["Identity", "OpenIdProvider", "OpenIdSettings", "PendingSignIn"]

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
_LEEWAY = 60  # s that clocks may differ
_REREAD_SECONDS = 30  # s between two reads of the provider's keys
_MOST_BYTES = 256 * 1024  # of an answer of the provider
_WAIT = httpx2.Timeout(10.0)


class Grant(Message):
    """What members of a group may do."""

    tier: Tier = Field(description="How much of each alert they may see.")
    scopes: tuple[Scope, ...] = Field(min_length=1, description="What they may do.")


class OpenIdSettings(Message):
    """An OpenID provider, and what its groups may do."""

    issuer: str = Field(pattern=r"^https?://", description="Issuer, as in its ID tokens.")
    client_id: str = Field(min_length=1, description="Our client id there.")
    groups_claim: str = Field(default="groups", description="Claim with a person's groups.")
    name_claim: str = Field(default="name", description="Claim with a person's name.")
    groups: Mapping[str, Grant] = Field(
        min_length=1, description="What members of each group may do; who is in none is refused."
    )

    @classmethod
    def load(cls, path: Path) -> "OpenIdSettings":
        """Return the settings of a TOML file.

        Raises
        ------
        InputError
            If it cannot be read, or its content is not of this form.
        """
        try:
            content = tomllib.loads(path.read_text("utf-8"))
            return cls.model_validate_json(json.dumps(content, default=str))
        except (OSError, ValueError) as error:
            msg = f"{path}: must be settings of an OpenID provider as TOML; got {error}"
            raise InputError(msg) from error


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """A sign-in that was begun: what the answer of the provider must fit.

    Attributes
    ----------
    state, nonce, verifier
        Random texts, each used once.
    """

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed in, as the provider says."""

    name: str
    tier: Tier
    scopes: frozenset[Scope]


class OpenIdProvider:
    """An OpenID provider.

    Parameters
    ----------
    settings
        The provider and its groups.
    secret
        Our client's secret there; empty for a public client.
    redirect
        Our address that it sends people back to.
    transport
        Transport of requests; by default the network.
    """

    def __init__(
        self,
        settings: OpenIdSettings,
        *,
        secret: str,
        redirect: str,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        for grant in settings.groups.values():
            require_allowed(grant.tier, frozenset(grant.scopes))
        self._settings, self._secret, self._redirect = settings, secret, redirect
        self._http = httpx2.Client(timeout=_WAIT, follow_redirects=False, transport=transport)
        self._lock = threading.Lock()
        self._metadata: Mapping[str, Any] | None = None
        self._keys = KeySet([])
        self._keys_read: float | None = None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def address(self, pending: PendingSignIn) -> str:
        """Return the provider's address that a person signs in at.

        Raises
        ------
        SignInRefused
            If the provider cannot be read.
        """
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect,
            "scope": "openid profile",
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": create_s256_code_challenge(pending.verifier),
            "code_challenge_method": "S256",
        }
        endpoint = str(self._known()["authorization_endpoint"])
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def identity(self, pending: PendingSignIn, code: str, now: datetime) -> Identity:
        """Return who the provider says a code is of.

        Raises
        ------
        SignInRefused
            If the code, the ID token or its claims are not accepted.
        """
        answer = self._posted(
            str(self._known()["token_endpoint"]),
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self._redirect,
                "client_id": self._settings.client_id,
                "code_verifier": pending.verifier,
            },
        )
        claims = self._claims(str(answer.get("id_token", "")), answer, pending, now)
        return self._granted(claims)

    def _granted(self, claims: Mapping[str, Any]) -> Identity:
        stated = claims.get(self._settings.groups_claim) or ()
        groups = [stated] if isinstance(stated, str) else [str(group) for group in stated]
        grants = [self._settings.groups[name] for name in groups if name in self._settings.groups]
        name = str(claims.get(self._settings.name_claim) or claims["sub"])
        if not grants:
            msg = f"sign-in of {name!r}: must be in a group that may read the desk"
            raise SignInRefused(msg)
        best = max(grants, key=lambda grant: list(Tier).index(grant.tier))
        scopes = {scope for grant in grants if grant.tier is best.tier for scope in grant.scopes}
        return Identity(name[:200], best.tier, frozenset(scopes))

    def _claims(
        self, token: str, answer: Mapping[str, Any], pending: PendingSignIn, now: datetime
    ) -> Mapping[str, Any]:
        decoded = self._decoded(token, now)
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {
                "iss": {"essential": True, "value": self._settings.issuer},
                "aud": {"essential": True, "value": self._settings.client_id},
                "nonce": {"essential": True, "value": pending.nonce},
            },
            {
                "nonce": pending.nonce,
                "client_id": self._settings.client_id,
                "access_token": answer.get("access_token"),
            },
        )
        try:
            claims.validate(int(now.timestamp()), _LEEWAY)
        except (JoseError, AuthlibBaseError) as error:
            msg = f"sign-in: the ID token must be ours and of this sign-in; got {error}"
            raise SignInRefused(msg) from error
        return dict(claims)

    def _decoded(self, token: str, now: datetime) -> jwt.Token:
        """Return a token whose signature is of the provider; its keys are read again once."""
        for fresh in (False, True):
            keys = self._provider_keys(now, fresh=fresh)
            try:
                return jwt.decode(token, keys, algorithms=_ALGORITHMS)
            except (JoseError, ValueError) as error:
                refusal = error
        msg = f"sign-in: the ID token must be signed by the provider; got {refusal}"
        raise SignInRefused(msg) from refusal

    def _provider_keys(self, now: datetime, *, fresh: bool) -> KeySet:
        with self._lock:
            age = None if self._keys_read is None else now.timestamp() - self._keys_read
            if age is None or (fresh and age > _REREAD_SECONDS):
                found = self._read(str(self._known()["jwks_uri"]))
                try:
                    self._keys = KeySet.import_key_set({"keys": list(found["keys"])})
                except (JoseError, KeyError, TypeError, ValueError) as error:
                    msg = f"sign-in: the provider's keys must be a key set; got {error}"
                    raise SignInRefused(msg) from error
                self._keys_read = now.timestamp()
            return self._keys

    def _known(self) -> Mapping[str, Any]:
        """Return the provider's metadata, read once."""
        if self._metadata is None:
            found = OpenIDProviderMetadata(
                self._read(get_well_known_url(self._settings.issuer, external=True))
            )
            try:
                found.validate()
            except ValueError as error:
                msg = f"sign-in: the provider's metadata must be valid; got {error}"
                raise SignInRefused(msg) from error
            if found["issuer"] != self._settings.issuer:
                msg = (
                    f"sign-in: the provider's issuer must be {self._settings.issuer!r}; got "
                    f"{found['issuer']!r}"
                )
                raise SignInRefused(msg)
            self._metadata = dict(found)
        return self._metadata

    def _read(self, address: str) -> dict[str, Any]:
        return self._answered(lambda: self._http.get(address), address)

    def _posted(self, address: str, form: Mapping[str, str]) -> dict[str, Any]:
        identified = httpx2.BasicAuth(self._settings.client_id, self._secret)
        auth = identified if self._secret else httpx2.USE_CLIENT_DEFAULT
        return self._answered(lambda: self._http.post(address, data=dict(form), auth=auth), address)

    def _answered(self, ask: Callable[[], httpx2.Response], address: str) -> dict[str, Any]:
        try:
            answer = ask()
            answer.raise_for_status()
            found = json.loads(answer.content[:_MOST_BYTES])
        except (httpx2.HTTPError, ValueError) as error:
            msg = f"sign-in: {address} must answer with JSON; got {error}"
            raise SignInRefused(msg) from error
        if not isinstance(found, dict):
            msg = f"sign-in: {address} must answer with an object; got {type(found).__name__}"
            raise SignInRefused(msg)
        return found
