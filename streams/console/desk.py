"""What the pages of a desk are made from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from detectors.rules import RuleSet
from schemas.subscription import Tier
from streams.console.access.gate import Gate
from streams.console.operations.rejects import Rejects
from streams.console.operations.workers import Workers
from streams.console.suppressed_changes import SuppressedChanges
from streams.core.counting.case_history import CaseHistory
from streams.core.explanation.explanation import ExplainedRun
from streams.core.safety.safety_record import SafetyRecord
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
    n_messages
        Messages that were read; None on a server that reads alerts alone.
    rules
        Rules of the detector; None likewise.
    controls
        Pairs of negative controls in normal form; None likewise, or if there are none.
    """

    sources: tuple[str, ...] = ()
    replayed: bool = False
    closed: date | None = None
    n_counted: int = 0
    n_rejected: int = 0
    n_messages: int | None = None
    rules: RuleSet | None = None
    controls: tuple[tuple[str, str], ...] | None = None


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
    safety
        Notices and domain cases with the days they became known; None on such a server.
    gate
        Where readers sign in; None on loopback, where the one who opens the page is the reader.
    hosts
        Values of `Host` that are answered.
    visits_path
        SQLite file of the log of visits; None: no log, unless there is a gate, which has its own.
    keeps_key
        Whether the service's key is the installation's: only then are signing keys that a page
        shows those that `tocsin deliver` signs with.
    rejects
        Rejects of the replay or the topic; None on a server that reads neither.
    workers
        Workers whose readiness is asked for; None if none is named.
    """

    service: Service
    intake: Intake
    readers_path: Path
    tier: Tier = Tier.AUTHORITY
    history: CaseHistory | None = None
    test_by_sex: bool = False
    explained: Callable[[], ExplainedRun] | None = None
    suppressed: SuppressedChanges | None = None
    safety: SafetyRecord | None = None
    gate: Gate | None = None
    hosts: frozenset[str] = field(default_factory=frozenset)
    visits_path: Path | None = None
    keeps_key: bool = True
    rejects: Rejects | None = None
    workers: Workers | None = None

    @property
    def visit_log(self) -> Path | None:
        """Return the SQLite file of the log of visits; None if there is none."""
        return self.visits_path if self.gate is None else self.gate.folder / "visits.db"

    @property
    def whole_history(self) -> CaseHistory | None:
        """Return the counted cases, unless this server does not have all of them."""
        return None if self.history is None or self.history.problem else self.history
