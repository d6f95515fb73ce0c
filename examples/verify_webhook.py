"""Verify a webhook of Tocsin with the standard library alone: copy the function `verify`."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

TOLERANCE = 300  # s between the attempt and your clock; an older one may be a replay


def verify(headers: Mapping[str, str], body: bytes, secret: str) -> Any:
    """Return the message of a signed delivery; raise ValueError for any other.

    Parameters
    ----------
    headers
        With names in lower case.
    body
        The bytes as received: parsed and written again they are other bytes.
    secret
        The signing key, `whsec_` and base64.
    """
    try:
        message_id, sent = headers["webhook-id"], headers["webhook-timestamp"]
        signatures = headers["webhook-signature"].split()
        age = abs(time.time() - int(sent))
    except (KeyError, ValueError):
        msg = "webhook: must have an id, a timestamp and a signature"
        raise ValueError(msg) from None
    if age > TOLERANCE:
        msg = f"webhook: must be at most {TOLERANCE} s old; got {age:.0f} s"
        raise ValueError(msg)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{sent}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    # There are two signatures while the sender rotates its key.
    if not any(hmac.compare_digest(b"v1," + digest, one.encode()) for one in signatures):
        msg = "webhook: the signature must be of the key and of these bytes"
        raise ValueError(msg)
    return json.loads(body)
