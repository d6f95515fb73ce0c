"""One name for everything that the counts and statistics of an alert were made from."""

import hashlib
import json
from collections.abc import Sequence
from datetime import date

from schemas.alert import InputOffset, Window

__all__ = ["snapshot_id"]


def snapshot_id(
    as_of: Sequence[InputOffset],
    window: Window,
    *,
    evaluated_on: date,
    rules_hash: str,
    policy_hash: str,
    prior_id: str | None,
    tested_through: int | None,
    code_version: str,
) -> str:
    """Return the SHA-256 of input offsets, window, day, rules, policy, prior and code.

    Alerts of one id were made from the same cases by the same rules: what they say of a pair's
    counts, statistics and cases is the same. What was published before, and notices, are not in it.

    Parameters
    ----------
    tested_through
        The last day that the anytime-valid test has taken in [days since 1970-01-01]; `None` if no
        rule asks for it.
    """
    parts = [
        [one.model_dump() for one in as_of],
        window.model_dump(mode="json"),
        evaluated_on.isoformat(),
        *(rules_hash, policy_hash, prior_id, tested_through, code_version),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
