"""Gate of the desk: who a request is of, and what is noted about it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from starlette.requests import Request

from streams.console.access.accounts import AccountStore, SignInRefused
from streams.console.access.openid import OpenIdProvider
from streams.console.access.signed_in import Client, SessionStore, SignedIn
from streams.console.access.visits import VisitKind, VisitLog
from streams.delivery.api.guard import Limiter

__all__ = ["COOKIE", "SECONDS", "Gate", "client_of"]

_LOG = logging.getLogger(__name__)
COOKIE = "tocsin_reader"
SECONDS = 10 * 3600  # s that the cookie of a session is kept
_ATTEMPTS = "20/15minute"  # sign-ins of one address


def client_of(request: Request) -> Client:
    """Return where a request comes from."""
    address = request.client.host if request.client else ""
    return Client(address, request.headers.get("user-agent", ""))


@dataclass(frozen=True, slots=True)
class Gate:
    """Sign-in of readers, by local accounts, by an OpenID provider, or both.

    Attributes
    ----------
    folder
        Where accounts, sessions and visits are kept.
    key
        The installation's secret.
    provider
        The OpenID provider; None if there is none.
    local
        Whether local accounts may sign in.
    secure
        Whether cookies travel over TLS alone; so they must, unless the desk is on loopback.
    """

    folder: Path
    key: bytes
    now: Callable[[], datetime]
    provider: OpenIdProvider | None
    local: bool
    secure: bool
    attempts: Limiter

    @classmethod
    def of(
        cls,
        folder: Path,
        key: bytes,
        now: Callable[[], datetime],
        *,
        provider: OpenIdProvider | None,
        local: bool,
        secure: bool,
    ) -> "Gate":
        """Return a gate with the usual limit of attempts an address."""
        return cls(folder, key, now, provider, local, secure, Limiter(_ATTEMPTS))

    def accounts(self) -> AccountStore:
        """Open the accounts."""
        return AccountStore(self.folder / "accounts.db", key=self.key)

    def sessions(self) -> SessionStore:
        """Open the sessions."""
        return SessionStore(self.folder / "sessions.db")

    def visits(self) -> VisitLog:
        """Open the log of visits."""
        return VisitLog(self.folder / "visits.db")

    def reader(self, request: Request) -> SignedIn | None:
        """Return who a request is of; None if nobody signed in.

        A session in another browser or network is ended and noted. A disabled account is nobody.
        """
        secret = request.cookies.get(COOKIE, "")
        if not secret:
            return None
        try:
            with self.sessions() as sessions:
                found = sessions.find(secret, client_of(request), self.now())
        except SignInRefused as refusal:
            self.note(VisitKind.SESSION_ENDED, request, None, str(refusal))
            return None
        if found is None or not found.account:
            return found
        with self.accounts() as accounts:
            account = accounts.find(found.reader)
        if account is None:
            return None
        return SignedIn(account.name, account.tier, account.scopes, account=True)

    def sign_in_locally(self, request: Request, name: str, password: str, code: str) -> str:
        """Sign in by a local account; return the secret of the session.

        Raises
        ------
        SignInRefused
            If it is refused; the reason is logged.
        """
        with self._noting_refusals(request):
            self._require_attempt(request)
            if not self.local:
                msg = "sign-in: local accounts must be allowed; they are not"
                raise SignInRefused(msg)
            with self.accounts() as accounts:
                account = accounts.sign_in(name, password, code, self.now())
        return self._begin(
            request, SignedIn(account.name, account.tier, account.scopes, account=True)
        )

    def address_of_provider(self, request: Request, back: str) -> str:
        """Begin a sign-in at the provider; return the address to send the person to."""
        with self._noting_refusals(request):
            self._require_attempt(request)
            provider = self._required_provider()
            with self.sessions() as sessions:
                return provider.address(
                    sessions.begin_pending(client_of(request), back, self.now())
                )

    def sign_in_by_provider(self, request: Request, state: str, code: str) -> tuple[str, str]:
        """Finish a sign-in at the provider; return the secret of the session, and where to go."""
        with self._noting_refusals(request):
            provider = self._required_provider()
            with self.sessions() as sessions:
                pending, back = sessions.take_pending(state, client_of(request), self.now())
            identity = provider.identity(pending, code, self.now())
        who = SignedIn(identity.name, identity.tier, identity.scopes, account=False)
        return self._begin(request, who), back

    def sign_out(self, request: Request) -> None:
        """End the session of a request."""
        who = self.reader(request)
        with self.sessions() as sessions:
            sessions.end(request.cookies.get(COOKIE, ""))
        if who is not None:
            self.note(VisitKind.SIGNED_OUT, request, who, "")

    def sign(self, who: SignedIn, code: str) -> None:
        """Use up a one-time code for a signature; a provider's person signs by the session.

        Raises
        ------
        SignInRefused
            If the code is wrong or was used.
        """
        if who.account:
            with self.accounts() as accounts:
                accounts.sign(who.reader, code, self.now())

    def note(self, kind: VisitKind, request: Request, who: SignedIn | None, subject: str) -> None:
        """Add a row to the log of visits; a refusal is a line of the process's log too."""
        if kind in {VisitKind.REFUSED, VisitKind.SESSION_ENDED}:
            _LOG.warning("%s", subject)
        with self.visits() as visits:
            visits.add(
                kind,
                at=self.now(),
                reader="" if who is None else who.reader,
                tier="" if who is None else who.tier.value,
                subject=subject,
                client=client_of(request).address,
            )

    def _begin(self, request: Request, who: SignedIn) -> str:
        with self.sessions() as sessions:
            sessions.end(request.cookies.get(COOKIE, ""))
            secret = sessions.begin(who, client_of(request), self.now())
        self.note(VisitKind.SIGNED_IN, request, who, "")
        return secret

    def _require_attempt(self, request: Request) -> None:
        wait = self.attempts.wait_for(client_of(request).address)
        if wait is not None:
            msg = f"sign-in: at most {_ATTEMPTS} of an address; try again in {wait} s"
            raise SignInRefused(msg)

    def _required_provider(self) -> OpenIdProvider:
        if self.provider is None:
            msg = "sign-in: a provider must be set; there is none"
            raise SignInRefused(msg)
        return self.provider

    @contextmanager
    def _noting_refusals(self, request: Request) -> Iterator[None]:
        try:
            yield
        except SignInRefused as refusal:
            self.note(VisitKind.REFUSED, request, None, str(refusal))
            raise
