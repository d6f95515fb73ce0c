"""Webhook deliveries: signed, to a public address, without redirects."""

import re
import threading
import time
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from schemas.errors import InputError
from streams.delivery.sending.send_schedule import Attempt, SendOutcome
from streams.delivery.sending.webhook import WebhookSender, require_secret
from tests.attacks.receivers import receiving
from tests.support.alerts import SECRET

OTHER = "whsec_" + "b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3Ro"

THIRD = "whsec_" + "dGhpcmQtdGhpcmQtdGhpcmQtdGhpcmQtdGhp"


def sender(answer, *, addresses=("93.184.216.34",), allow=()):
    asked = []

    def handler(request):
        asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    transport = httpx2.MockTransport(handler)
    return WebhookSender(
        transport=transport, resolver=lambda host, port: addresses, allow_hosts=allow
    ), asked


def post(web, url="https://receiver.example/hook", body='{"a": 1}', secrets=(SECRET,)):
    return web.send(url, secrets, "id-1", body, datetime.now(UTC))


def test_a_delivery_is_signed_and_sent_to_the_checked_address():
    web, (asked) = sender(httpx2.Response(204))
    assert post(web, secrets=(SECRET, OTHER)).outcome is SendOutcome.DELIVERED
    (request,) = asked
    assert request.url.host == "93.184.216.34"
    assert request.headers["host"] == "receiver.example"
    assert request.extensions["sni_hostname"] == "receiver.example"
    headers = dict(request.headers)
    for secret in (SECRET, OTHER):  # both keys verify during a rotation
        assert Webhook(secret).verify(request.content, headers) == {"a": 1}


@pytest.mark.parametrize("key", [SECRET, OTHER])  # both, while keys are rotated
@pytest.mark.parametrize("harm", [None, "body", "time", "key", "id", "replay"])
def test_an_altered_message_is_refused_by_the_verifier(harm, key):
    web, asked = sender(httpx2.Response(204))
    post(web, secrets=(SECRET, OTHER))
    headers, body = dict(asked[0].headers), asked[0].content
    if harm is None:
        assert Webhook(key).verify(body, headers) == {"a": 1}
        return
    if harm == "body":
        body = body.replace(b"1", b"2")
    elif harm == "time":
        headers["webhook-timestamp"] = str(int(headers["webhook-timestamp"]) + 1)
    elif harm == "replay":  # an old message, unchanged with its signature
        old = datetime.now(UTC) - timedelta(minutes=6)
        headers["webhook-timestamp"] = str(int(old.timestamp()))
        headers["webhook-signature"] = Webhook(key).sign("id-1", old, body.decode())
    elif harm == "id":
        headers["webhook-id"] = "id-2"
    else:
        key = THIRD
    with pytest.raises(WebhookVerificationError):
        Webhook(key).verify(body, headers)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (httpx2.Response(200), SendOutcome.DELIVERED),
        (httpx2.Response(500), SendOutcome.FAILED),
        (httpx2.Response(302, headers={"location": "http://169.254.169.254/"}), SendOutcome.FAILED),
        (httpx2.Response(410), SendOutcome.GONE),
        (httpx2.ReadTimeout("slow"), SendOutcome.FAILED),
        (httpx2.ConnectError("no"), SendOutcome.FAILED),
    ],
)
def test_answers(answer, outcome):
    web, asked = sender(answer)
    assert post(web).outcome is outcome
    assert len(asked) == 1  # redirects are not followed


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "192.168.1.1",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "100.64.0.1",
    ],
)
def test_private_addresses_are_not_posted_to(address):
    web, asked = sender(httpx2.Response(200), addresses=("93.184.216.34", address))
    assert post(web).outcome is SendOutcome.REFUSED
    assert asked == []


def test_http_is_used_only_for_allowed_hosts():
    web, asked = sender(httpx2.Response(200))
    assert post(web, "http://receiver.example/hook").outcome is SendOutcome.REFUSED
    assert asked == []
    web, asked = sender(httpx2.Response(200), addresses=("127.0.0.1",), allow=("localhost",))
    assert post(web, "http://localhost:8080/hook").outcome is SendOutcome.DELIVERED
    assert asked[0].url.port == 8080


def test_a_host_without_an_address_fails_and_is_retried():
    def nowhere(host, port):
        raise OSError

    web = WebhookSender(resolver=nowhere)
    assert post(web).outcome is SendOutcome.FAILED


@pytest.mark.parametrize("secret", ["", "short", "whsec_c2hvcnQ=", "whsec_???"])
def test_an_invalid_key_is_refused_and_not_quoted(secret):
    with pytest.raises(InputError, match="HOOK: must hold base64") as caught:
        require_secret(secret, "HOOK")
    assert not secret or secret not in str(caught.value)


@pytest.fixture(scope="module")
def hostile():
    with receiving() as receivers:
        yield receivers


@pytest.mark.parametrize(
    ("behaviour", "outcome", "detail"),
    [
        ("endless", SendOutcome.FAILED, "status 500"),
        ("endless_ok", SendOutcome.DELIVERED, "200"),
        ("drip", SendOutcome.FAILED, "no response within 1 s"),
        ("silent", SendOutcome.FAILED, "no response within 1 s|ReadTimeout"),
        ("interim", SendOutcome.FAILED, "no response within 1 s"),
        ("headers", SendOutcome.FAILED, "RemoteProtocolError"),
        ("redirect", SendOutcome.FAILED, "status 307"),
        ("reset", SendOutcome.FAILED, "ReadError|RemoteProtocolError"),
        ("nonsense", SendOutcome.FAILED, "RemoteProtocolError"),
        ("gone", SendOutcome.GONE, "status 410"),
    ],
)
def test_a_hostile_receiver_ends_its_attempt_within_the_deadline_and_little_is_read(
    hostile, behaviour, outcome, detail
):
    hostile.sent, hostile.messages[:] = 0, []
    began = time.monotonic()
    web = WebhookSender(allow_hosts=("127.0.0.1",), seconds=1)
    attempt = post(web, hostile.url(behaviour))
    assert time.monotonic() - began < 2
    assert attempt.outcome is outcome
    assert re.fullmatch(detail, attempt.detail)
    assert hostile.messages == []
    # Some MB are in the buffers of two sockets; a second of reading would be hundreds.
    assert hostile.sent < 16_000_000


def test_a_lookup_without_an_end_ends_at_the_deadline():
    release = threading.Event()
    web = WebhookSender(resolver=lambda host, port: release.wait(30) and (), seconds=0.2)
    attempt = post(web)
    release.set()
    assert attempt == Attempt(SendOutcome.FAILED, "no address: TimeoutError")


@pytest.mark.parametrize("url", ["https://a..b/", "https://[foo/", "https://1.1.1.1:99999/"])
def test_a_malformed_url_of_an_older_outbox_is_refused_when_sent(url):
    web, asked = sender(httpx2.Response(200))
    assert post(web, url).outcome is SendOutcome.REFUSED
    assert asked == []
