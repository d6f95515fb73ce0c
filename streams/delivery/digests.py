"""Digests: several pending alerts in one message, as JSON and as Markdown."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from schemas.digest import Digest, HeldBack
from schemas.subscription import SDR

__all__ = ["MOST_ALERTS", "digest_of", "markdown_of"]

MOST_ALERTS = 500  # alerts per message: a few MB, which receivers and brokers accept
_ID_DIGITS = 32


def digest_of(
    subscription_id: str, copies: Sequence[dict[str, Any]], because: HeldBack, now: datetime
) -> Digest:
    """Return a digest of alerts, in order, as copies for the subscriber's tier."""
    ids = tuple(str(copy["alert_id"]) for copy in copies)
    named = json.dumps([subscription_id, *ids]).encode()
    counted = Counter(map(_title, copies))
    listed = ", ".join(f"{n} {name}" for name, n in sorted(counted.items()))
    why = (
        "beyond the budget of the day" if because is HeldBack.OVERFLOW else "since the last digest"
    )
    return Digest(
        digest_id=hashlib.sha256(named).hexdigest()[:_ID_DIGITS],
        subscription_id=subscription_id,
        because=because,
        made_at=now,
        n_alerts=len(copies),
        alert_ids=ids,
        sentence=f"{len(copies)} alerts {why}: {listed}.",
        alerts=tuple(copies),
    )


def markdown_of(message: dict[str, Any]) -> str:
    """Return an alert, a digest or a change of rules as Markdown, alerts under their headlines.

    >>> print(markdown_of({"alert_id": "a1", "kind": "new", "sentence": "Look.", "caveat": "But."}))
    # SDR new
    <BLANKLINE>
    Look.
    <BLANKLINE>
    *But.* `a1`
    <BLANKLINE>
    """
    if "change_id" in message:
        return f"# Rules changed\n\n{_plain(message['sentence'])}\n\n`{message['change_id']}`\n"
    if "overflow_id" in message:
        return f"# Urgent alerts held\n\n{_plain(message['sentence'])} `{message['overflow_id']}`\n"
    if "digest_id" not in message:
        return _section(message, "#")
    sections = "\n".join(_section(alert, "##") for alert in message["alerts"])
    return f"# Digest\n\n{message['sentence']} `{message['digest_id']}`\n\n{sections}"


def _section(alert: dict[str, Any], level: str) -> str:
    headline, sentence = alert.get("headline"), str(alert["sentence"])
    title = _title(alert)
    if headline:
        # The sentence begins with the headline, which the title has.
        facts = sentence.removeprefix(headline).removeprefix(".").strip()
        title, sentence = _plain(headline), f"{title}. {facts}".strip()
    step = [alert["next_step"]] if alert.get("next_step") else []
    lines = [_plain(str(line)) for line in (sentence, *alert.get("duty", ()), *step)]
    return (
        "\n\n".join(
            [f"{level} {title}", *lines, f"*{_plain(alert['caveat'])}* `{alert['alert_id']}`"]
        )
        + "\n"
    )


def _title(alert: dict[str, Any]) -> str:
    """Return the category and kind of a copy, and its grade where the copy says so."""
    grade = f" {alert['grade']}" if "grade" in alert else ""
    return f"{alert.get('category', SDR)}{grade} {alert['kind']}"


def _plain(text: str) -> str:
    """Escape text from reports, so that it cannot become Markdown."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|" else c for c in " ".join(text.split()))
