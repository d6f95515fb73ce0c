"""Account of a source: what became of every row that names a report."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from detectors.rules import load_rules
from schemas.rejected import Rejected
from streams.core.counting.windows import WindowSpec
from streams.intake.delimited import RowTally
from streams.intake.files import SourceItem, read_source
from streams.intake.formats import detect_format
from streams.runtime.embedded.replay import Replay

__all__ = ["SourceAccount", "account_of"]

_NEVER = 10**6  # days between evaluations: more than any file spans, so there is none
_FURTHER = ("replaced", "repeated", "stale", "conflicting")  # messages of a case that is known


@dataclass(frozen=True)
class SourceAccount:
    """Numbers of rows and cases of one source.

    Parameters
    ----------
    rows
        Rows that name a report: of DATA, DEMO, a line, an item of a document.
    left_out
        Of these, rows that repeat another or that a later one replaces.
    rejected
        Of these, rows that are no report.
    others_rejected
        Rejected rows of other tables, such as drugs and reactions.
    further
        Reports of a case of which another report is current.
    counted, excluded
        Current cases that count, and others by the reason.
    unmapped
        Values that a report cannot carry, by column or element and value.
    """

    path: Path
    source_format: str
    rows: int
    left_out: Counter[str]
    rejected: int
    others_rejected: int
    further: int
    counted: int
    excluded: Counter[str]
    unmapped: Counter[str] = field(default_factory=Counter)

    @property
    def unexplained(self) -> int:
        """Rows of which nothing became; other than 0 it is a defect of a reader."""
        explained = self.left_out.total() + self.rejected + self.further
        return self.rows - explained - self.counted - self.excluded.total()


def account_of(
    path: Path,
    source_format: str | None = None,
    *,
    horizon: date,
    mapping: Path | None = None,
) -> SourceAccount:
    """Read a source whole, run its reports through the case stage, and account for every row.

    Parameters
    ----------
    horizon
        Latest plausible day of receipt.
    mapping
        A mapping file, by which a table of any layout is read.

    Raises
    ------
    InputError
        As by `streams.intake.files.read_source`.
    """
    name = "mapped" if mapping else source_format or detect_format(path)
    tally, unmapped, read = RowTally(), Counter[str](), Counter[str]()
    rejects: list[str] = []  # sources, of all rejects

    def items() -> Iterator[tuple[int, SourceItem]]:
        for number, item in read_source(
            path, name, unmapped=unmapped, tally=tally, mapping=mapping
        ):
            read["rejects" if isinstance(item, Rejected) else "items"] += 1
            yield number, item

    run = Replay(
        [WindowSpec.parse("cumulative")],
        load_rules(["mhra"]),  # required, but never evaluated
        every=_NEVER,
        until=None,
        horizon=horizon,
        on_alert=lambda alert: None,
        on_rejected=lambda rejected: rejects.append(rejected.source),
    )
    for _ in run.feed(path.name, items()):
        pass
    # Rejects of the case stage have the name of the source; they are of rows that name reports.
    others = sum(1 for source in rejects if tally.rows and source not in {*tally.rows, path.name})
    summary = run.summary
    rows = tally.rows.total() if tally.rows else read.total()
    markers = 0 if tally.rows else summary.tally["released"] + summary.tally["linked"]
    population = Counter(summary.population)
    counted = population.pop("counted", 0)
    return SourceAccount(
        path=path,
        source_format=name,
        rows=rows - markers,
        left_out=tally.left_out,
        rejected=len(rejects) - others,
        others_rejected=others,
        further=sum(summary.tally[kind] for kind in _FURTHER),
        counted=counted,
        excluded=+population,
        unmapped=unmapped,
    )
