"""Facts of operations: what a page shows, and why where it cannot know."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from schemas.subscription import Tier
from streams.console.desk import Desk
from streams.console.frame.rendering import Frame
from streams.console.operations.published_revisions import PublishedRevisions, RevisionTotals
from streams.console.operations.workers import StageState, restored
from streams.console.subscriptions.delivery_rows import DeliveryRow, outbox_path_for, row_of
from streams.delivery.api.tokens import Scope
from streams.figures.bars import BarRow, BarsFacts, bars
from streams.figures.months import KINDS, MonthCounts, MonthsFacts, months

__all__ = ["Fact", "Operations", "delivery_rows", "may_operate"]

_PER = 10_000  # reports, that revisions are counted per


@dataclass(frozen=True, slots=True)
class Fact:
    """One of the six facts on top.

    Attributes
    ----------
    name
        Name of its text.
    value
        A number, a day or a share; None where it is unknown.
    word
        Name of the text that stands for the value, such as that of a state; empty: the value.
    note
        Name of the text below, which says why if the value is unknown.
    n, m
        Numbers in the note.
    """

    name: str
    value: int | date | float | None
    note: str
    word: str = ""
    n: int = 0
    m: int = 0


class Operations:
    """What the desk knows of its operations.

    Parameters
    ----------
    desk
        Its dependencies.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.published = PublishedRevisions(desk.service)

    def stages(self) -> list[StageState] | None:
        """Return the stages of the workers, asked now; None if no worker is named."""
        workers = self._desk.workers
        return None if workers is None else workers.stages()

    def facts(self, stages: Sequence[StageState] | None, revisions: RevisionTotals) -> list[Fact]:
        """Return the six facts: stages, lag, watermark, rejected, revisions, restore."""
        intake = self._desk.intake
        messages = intake.n_messages
        return [
            self._stage_fact(stages),
            Fact("lag", 0, "lag_files", n=messages or 0)
            if intake.replayed
            else self._lag_of_alerts(),
            Fact("watermark", intake.closed, "watermark_note" if intake.closed else "no_day"),
            self._rejected_fact(),
            Fact(
                "revisions",
                revisions.n,
                "revisions_note" if intake.n_counted else "not_read",
                n=round(_PER * revisions.n / intake.n_counted) if intake.n_counted else 0,
                m=_PER,
            ),
            self._restore_fact(stages),
        ]

    def _stage_fact(self, stages: Sequence[StageState] | None) -> Fact:
        if stages is None:
            if not self._desk.intake.replayed:
                return Fact("stages", None, "no_worker")
            return Fact("stages", 1, "stages_replay", word="ended")
        ready = sum(one.ready for one in stages)
        return Fact(
            "stages",
            ready,
            "stages_note",
            word="up" if ready == len(stages) else "not_up",
            n=ready,
            m=len(stages),
        )

    def _lag_of_alerts(self) -> Fact:
        behind = self._desk.service.health.problem is not None
        return Fact("lag", None, "lag_behind" if behind else "lag_current")

    def _rejected_fact(self) -> Fact:
        intake = self._desk.intake
        if intake.n_messages is None:
            on_topic = self._desk.rejects is not None
            return Fact("rejected", None, "on_topic" if on_topic else "not_read")
        return Fact("rejected", intake.n_rejected, "rejected_note", n=intake.n_messages)

    def _restore_fact(self, stages: Sequence[StageState] | None) -> Fact:
        if stages is None:
            replayed = self._desk.intake.replayed
            if not replayed:
                return Fact("restore", None, "no_worker")
            return Fact("restore", 1, "restore_replay", word="nothing_restored")
        share = restored(stages)
        if share is None:
            return Fact("restore", 1, "restore_note", word="nothing_restored")
        return Fact("restore", share, "restore_reads")

    def suppressed(self, texts: dict[str, str], title: str, language: str) -> str | None:
        """Return the picture of suppressed changes by reason; None on a server without them.

        Parameters
        ----------
        texts
            Reasons in words.
        """
        found = self._desk.suppressed
        if found is None:
            return None
        rows = [
            BarRow(texts.get(reason, reason), number, f"{number:,}")
            for reason, number in found.by_reason.most_common()
        ]
        return bars(BarsFacts(title, rows), name="suppressed", width=540, language=language)


def months_picture(revisions: RevisionTotals, language: str) -> str:
    """Return the picture of revisions a month by kind."""
    facts = [MonthCounts(month, counts) for month, counts in sorted(revisions.by_month.items())]
    return months(MonthsFacts(facts), name="months", width=1334, language=language)


def month_rows(revisions: RevisionTotals) -> tuple[list[str], list[tuple[date, list[int]]]]:
    """Return the kinds, and the numbers of each month by kind, the latest month first."""
    others = {kind for counts in revisions.by_month.values() for kind in counts} - set(KINDS)
    kinds = [*KINDS, *sorted(others)]
    return kinds, [
        (month, [counts[kind] for kind in kinds])
        for month, counts in sorted(revisions.by_month.items(), reverse=True)
    ]


def may_operate(frame: Frame) -> bool:
    """Return whether the reader may pause deliveries, redrive, and see what others did."""
    return frame.tier is Tier.AUTHORITY and Scope.OPERATIONS_WRITE in frame.who.scopes


def delivery_rows(frame: Frame) -> list[DeliveryRow]:
    """Return the deliveries that the reader may see: all, or their own."""
    who = frame.who
    everybody = may_operate(frame)
    with frame.desk.service.outbox() as outbox:
        statuses = outbox.statuses(subscriber=None if everybody else who.reader)
    tiers = list(Tier)
    return [
        row_of(status, outbox_path_for(frame))
        for status in statuses
        if everybody or tiers.index(status.subscription.tier) <= tiers.index(who.tier)
    ]
