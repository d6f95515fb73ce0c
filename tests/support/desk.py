"""A desk of the tests: its pages over HTTP, on loopback or of readers who signed in."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from schemas.subscription import Tier
from streams.console.access.gate import COOKIE, Gate
from streams.console.access.signed_in import Client, SignedIn
from streams.console.access.visits import Visit, VisitLog
from streams.console.application import desk_application
from streams.console.desk import Desk, Intake
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.api.service import Service
from streams.delivery.api.tokens import Scope
from tests.support.alerts import KEY
from tests.support.api_server import NOW, feed, service_in

__all__ = ["Site", "token_in"]

HOST = "desk"
AGENT = "a browser of the tests"
_OF_AUTHORITIES = {Scope.DECISIONS_WRITE, Scope.VERIFICATIONS_WRITE, Scope.OPERATIONS_WRITE}


def token_in(page: str) -> str:
    """Return the token of the forms of a page."""
    return re.findall(r'name="token" value="([0-9a-f]+)"', page)[0]


@dataclass
class Site:
    """A desk with alerts, in a folder."""

    service: Service
    desk: Desk

    @classmethod
    def of(
        cls, folder: Path, alerts: Iterable[AnyAlert], *, gated: bool = False, **desk: Any
    ) -> "Site":
        service = service_in(folder)
        feed(service, alerts)
        gate = None
        if gated:
            gate = Gate.of(folder, KEY, lambda: NOW, provider=None, local=True, secure=True)
        made = Desk(
            service=service,
            intake=Intake(),
            readers_path=folder / "readers.db",
            visits_path=folder / "visits.db",
            gate=gate,
            hosts=frozenset({HOST}),
        )
        return cls(service, replace(made, **desk))

    def browser(self, name: str = "M. Okafor") -> TestClient:
        """Return a browser on loopback whose reader stated a name; an empty one states none."""
        browser = self._browser()
        if name:
            token = token_in(browser.get("/desk/subscriptions").text)
            form = {"token": token, "reader": name}
            answer = browser.post("/desk/subscriptions/reader", data=form)
            assert answer.status_code == 303, answer.text
        return browser

    def signed_in(
        self, name: str, tier: Tier = Tier.AUTHORITY, scopes: Iterable[Scope] | None = None
    ) -> TestClient:
        """Return a browser of a reader who signed in, by default with all that the tier may do."""
        gate = self.desk.gate
        assert gate is not None
        if scopes is None:
            scopes = set(Scope) - (set() if tier is Tier.AUTHORITY else _OF_AUTHORITIES)
        with gate.sessions() as sessions:
            who = SignedIn(name, tier, frozenset(scopes), account=False)
            secret = sessions.begin(who, Client("testclient", AGENT), NOW)
        browser = self._browser()
        browser.cookies.set(COOKIE, secret)
        return browser

    def visits(self) -> list[Visit]:
        """Return the log of visits, the first one first."""
        with VisitLog(self.service.model_path.parent / "visits.db") as visits:
            return list(visits.latest(999))[::-1]

    def _browser(self) -> TestClient:
        headers = {"user-agent": AGENT, "accept": "text/html"}
        return TestClient(
            desk_application(self.desk),
            base_url=f"https://{HOST}",
            headers=headers,
            follow_redirects=False,
        )
