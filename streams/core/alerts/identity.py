"""Identity of alerts: id of a revision, id of its snapshot."""

import hashlib
import json
from collections.abc import Sequence
from datetime import date

from schemas.alert import InputOffset, Window
from schemas.strata import Strata

__all__ = ["alert_id", "snapshot_id"]


def alert_id(key: str, rules_hash: str, policy_hash: str, revision: int) -> str:
    """Return the id of one revision of a signal under one set of rules and one policy."""
    text = f"{key}\n{rules_hash}\n{policy_hash}\n{revision}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def snapshot_id(
    as_of: Sequence[InputOffset],
    window: Window,
    *,
    evaluated_on: date,
    rules_hash: str,
    policy_hash: str,
    prior_id: str | None,
    prior_id_adjusted: str | None,
    tested_through: int | None,
    strata: Strata,
    code_version: str,
) -> str:
    """Return the SHA-256 of input offsets, window, day, rules, policy, priors, strata and code.

    Alerts with the same id were made from the same cases by the same rules: they agree on a pair's
    counts, statistics and cases. The id does not cover earlier revisions and notices.

    Parameters
    ----------
    tested_through
        The last day of the anytime-valid test [days since 1970-01-01]; `None` if no rule needs
        it.
    """
    parts = [
        [offset.model_dump() for offset in as_of],
        window.model_dump(mode="json"),
        evaluated_on.isoformat(),
        *(rules_hash, policy_hash, prior_id, tested_through),
        *(strata.model_dump(mode="json"), code_version),
    ]
    # Without it, the id is the one that earlier versions gave.
    parts += [] if prior_id_adjusted is None else [prior_id_adjusted]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
