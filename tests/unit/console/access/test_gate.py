"""The sign-in as a browser meets it, by account and by provider, and what is noted of it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from starlette.testclient import TestClient

from schemas.subscription import Tier
from streams.console.access.accounts import AccountStore
from streams.console.access.gate import Gate
from streams.console.access.openid import OpenIdProvider, PendingSignIn
from streams.console.access.visits import VisitKind
from streams.console.application import desk_application
from streams.console.desk import Desk, Intake
from streams.delivery.api.service import Service
from streams.delivery.api.tokens import Scope
from streams.runtime.operations.audit_log import AuditLog
from tests.support.openid import NOW, Issuer

PASSWORD = "correct horse battery"
AT = datetime.fromtimestamp(NOW, UTC)
Browser = Callable[[], TestClient]


class Site:
    """A desk behind a gate, with one account."""

    def __init__(self, folder: Path, issuer: Issuer | None) -> None:
        key = b"an installation's secret"
        provider: OpenIdProvider | None = issuer.provider() if issuer else None
        self.gate = Gate.of(folder, key, lambda: AT, provider=provider, local=True, secure=True)
        with AccountStore(folder / "accounts.db", key=key) as accounts:
            scopes = frozenset({Scope.ALERTS_READ})
            made = accounts.add("M. Okafor", PASSWORD, Tier.CONSUMER, scopes, AT)
        code = pyotp.parse_uri(made.uri)
        assert isinstance(code, pyotp.TOTP)
        self.code = code.at(AT)
        service = Service(
            outbox_path=folder / "outbox.db",
            model_path=folder / "signals.db",
            key=key,
            audit=AuditLog(folder / "audit.jsonl"),
            notices=None,
            now=lambda: AT,
        )
        self.app = desk_application(
            Desk(
                service, Intake(), folder / "readers.db", gate=self.gate, hosts=frozenset({"desk"})
            )
        )

    def browser(self, agent: str = "Browser 1") -> TestClient:
        headers = {"user-agent": agent, "accept": "text/html"}
        return TestClient(
            self.app, base_url="https://desk", headers=headers, follow_redirects=False
        )

    def noted(self) -> list[tuple[VisitKind, str]]:
        with self.gate.visits() as visits:
            return [(visit.kind, visit.reader) for visit in visits.latest(99)][::-1]


def sign_in(browser: TestClient, site: Site, **changed: str) -> int:
    page = browser.get("/desk/sign-in").text
    token = re.findall(r'name="token" value="([0-9a-f]+)"', page)[0]
    form = {"token": token, "name": "M. Okafor", "password": PASSWORD, "code": site.code}
    return browser.post("/desk/sign-in", data=form | changed).status_code


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, None)


def test_a_page_leads_to_the_sign_in_and_back(site: Site) -> None:
    browser = site.browser()
    sent = browser.get("/desk?tab=on")
    assert sent.status_code == 303
    assert sent.headers["location"] == "/desk/sign-in?back=%2Fdesk%3Ftab%3Don"
    assert 'value="/desk?tab=on"' in browser.get(sent.headers["location"]).text
    assert sign_in(browser, site, back="/desk?tab=on") == 303
    page = browser.get("/desk?tab=on")
    assert page.status_code == 200
    assert "Consumer tier" in page.text
    assert site.noted() == [(VisitKind.SIGNED_IN, "M. Okafor")]


def test_a_script_is_refused_rather_than_sent(site: Site) -> None:
    browser = site.browser()
    assert browser.get("/desk", headers={"accept": "*/*"}).status_code == 401


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "/desk\\evil", "/deskevil", "/\t/evil", ""]
)
def test_nobody_is_sent_elsewhere(site: Site, back: str) -> None:
    browser = site.browser()
    token = re.findall(r'name="token" value="([0-9a-f]+)"', browser.get("/desk/sign-in").text)[0]
    form = {"token": token, "name": "M. Okafor", "password": PASSWORD, "code": site.code}
    sent = browser.post("/desk/sign-in", data=form | {"back": back})
    assert sent.headers["location"] == "/desk"


@pytest.mark.parametrize(
    "changed", [{"password": "wrong"}, {"code": "000000"}, {"name": "Nobody"}, {"token": "0"}]
)
def test_a_refused_sign_in_says_no_more_than_that(site: Site, changed: dict[str, str]) -> None:
    browser = site.browser()
    assert sign_in(browser, site, **changed) == 403
    assert browser.get("/desk").status_code == 303
    kinds = [kind for kind, _ in site.noted()]
    assert kinds == ([] if "token" in changed else [VisitKind.REFUSED])


def test_a_cookie_in_another_browser_ends_the_session(site: Site) -> None:
    browser, thief = site.browser(), site.browser("Browser 2")
    sign_in(browser, site)
    thief.cookies = browser.cookies
    assert thief.get("/desk").status_code == 303
    assert browser.get("/desk").status_code == 303
    assert site.noted()[-1][0] is VisitKind.SESSION_ENDED


def test_signing_out_needs_the_forms_token_and_ends_the_session(site: Site) -> None:
    browser = site.browser()
    sign_in(browser, site)
    assert browser.post("/desk/sign-out", data={"token": "0"}).status_code == 403
    token = re.findall(r'name="token" value="([0-9a-f]+)"', browser.get("/desk").text)[0]
    assert browser.post("/desk/sign-out", data={"token": token}).status_code == 303
    assert browser.get("/desk").status_code == 303
    assert site.noted()[-1] == (VisitKind.SIGNED_OUT, "M. Okafor")


def test_a_sign_in_renews_the_session_of_the_forms(site: Site) -> None:
    browser = site.browser()
    browser.get("/desk/sign-in")
    before = browser.cookies["tocsin_desk"]
    sign_in(browser, site)
    assert browser.cookies["tocsin_desk"] != before


def test_cookies_are_out_of_reach(site: Site) -> None:
    browser = site.browser()
    token = re.findall(r'name="token" value="([0-9a-f]+)"', browser.get("/desk/sign-in").text)[0]
    form = {"token": token, "name": "M. Okafor", "password": PASSWORD, "code": site.code}
    for cookie in browser.post("/desk/sign-in", data=form).headers.get_list("set-cookie"):
        assert "HttpOnly" in cookie
        assert "Secure" in cookie
        assert "SameSite" in cookie


def test_a_disabled_account_is_out_at_once(site: Site) -> None:
    browser = site.browser()
    sign_in(browser, site)
    with site.gate.accounts() as accounts:
        accounts.disable("M. Okafor", AT)
    assert browser.get("/desk").status_code == 303


def test_attempts_of_one_address_are_limited(site: Site) -> None:
    browser = site.browser()
    for _ in range(20):
        assert sign_in(browser, site, name="Nobody") == 403
    assert sign_in(browser, site) == 403


def test_a_person_of_the_provider_signs_in(tmp_path: Path) -> None:
    issuer = Issuer()
    site = Site(tmp_path, issuer)
    browser = site.browser()
    sent = browser.get("/desk/sign-in/provider?back=/desk?tab=on").headers["location"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(sent).query).items()}
    issuer.pending = PendingSignIn(query["state"], query["nonce"], "")
    answer = f"/desk/sign-in/answer?state={query['state']}&code=c"
    assert site.browser("Browser 2").get(answer).status_code == 403  # another browser's answer
    assert browser.get(answer).status_code == 403  # which ended this sign-in

    sent = browser.get("/desk/sign-in/provider?back=/desk?tab=on").headers["location"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(sent).query).items()}
    issuer.pending = PendingSignIn(query["state"], query["nonce"], "")
    answer = f"/desk/sign-in/answer?state={query['state']}&code=c"
    came = browser.get(answer)
    assert (came.status_code, came.headers["location"]) == (303, "/desk?tab=on")
    assert "Authority tier" in browser.get("/desk").text
    assert browser.get(answer).status_code == 403  # replayed
    assert [kind for kind, _ in site.noted()] == [
        VisitKind.REFUSED,
        VisitKind.REFUSED,
        VisitKind.SIGNED_IN,
        VisitKind.VIEWED,
        VisitKind.REFUSED,
    ]
