"""What the pages of a desk are made from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from schemas.subscription import Tier
from streams.console.access.gate import Gate
from streams.console.suppressed_changes import SuppressedChanges
from streams.core.counting.case_history import CaseHistory
from streams.core.explanation.explanation import ExplainedRun
from streams.delivery.api.service import Service

__all__ = ["Desk", "Intake"]


@dataclass(slots=True)
class Intake:
    """What the reports of a desk come from, and how far they were read.

    Attributes
    ----------
    sources
        Names of the files or topics.
    replayed
        Whether files were replayed; else reports arrive now.
    closed
        Last day that was evaluated; None before the first.
    n_counted, n_rejected
        Counted cases, and messages that could not be read.
    """

    sources: tuple[str, ...] = ()
    replayed: bool = False
    closed: date | None = None
    n_counted: int = 0
    n_rejected: int = 0


@dataclass(frozen=True, slots=True)
class Desk:
    """Dependencies of the pages.

    Attributes
    ----------
    service
        What the HTTP API answers from: copies by tier, cases, decisions.
    intake
        How far reports were read.
    readers_path
        SQLite file of sign-offs and saved views.
    tier
        Tier of the pages.
    history
        The counted cases at every position; None on a server that reads alerts alone.
    test_by_sex
        Whether the blocks of the anytime-valid test are of one sex as well.
    explained
        Returns the counts and cases that the figures of a signal are computed from; None on a
        server that reads alerts alone.
    suppressed
        Suppressed changes of a replay; None on a server that reads alerts alone.
    gate
        Where readers sign in; None on loopback, where the one who opens the page is the reader.
    hosts
        Values of `Host` that are answered.
    """

    service: Service
    intake: Intake
    readers_path: Path
    tier: Tier = Tier.AUTHORITY
    history: CaseHistory | None = None
    test_by_sex: bool = False
    explained: Callable[[], ExplainedRun] | None = None
    suppressed: SuppressedChanges | None = None
    gate: Gate | None = None
    hosts: frozenset[str] = field(default_factory=frozenset)
