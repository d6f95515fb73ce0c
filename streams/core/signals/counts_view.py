"""Read-only view of the counts for an evaluation."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from schemas.alert import InputOffset
from streams.core.cases.strata import AgeBands
from streams.core.counting.case_log import CaseLog
from streams.core.counting.level_codes import LevelCodes
from streams.core.counting.removed_cases import RemovedCases
from streams.core.counting.sorted_counts import split_key
from streams.core.counting.spelling_counts import Spellings
from streams.core.counting.vocabulary import Vocabulary
from streams.core.signals.anytime_test import SequentialTests
from streams.core.signals.new_evidence import ChangesSinceEvaluation

__all__ = ["CountsView"]


@dataclass(frozen=True, slots=True)
class CountsView:
    """Names, cases and their changes, and the input offsets counted so far."""

    drugs: Vocabulary
    events: Vocabulary
    strata: Vocabulary
    levels: LevelCodes
    origins: Vocabulary
    indications: Vocabulary
    spellings: Spellings
    log: CaseLog
    removals: RemovedCases
    pending: ChangesSinceEvaluation
    tests: SequentialTests
    age_bands: AgeBands
    as_of: Sequence[InputOffset]

    def named(
        self, table: pl.DataFrame, columns: Collection[str] = ("drug", "event")
    ) -> pl.DataFrame:
        """Prepend the names of drugs and events to a table of keys."""
        codes = split_key(table["key"].to_numpy())
        coded = {"drug": (self.drugs, codes[0]), "event": (self.events, codes[1])}
        names = [
            vocabulary.decode(keys).alias(name)
            for name, (vocabulary, keys) in coded.items()
            if name in columns
        ]
        return pl.DataFrame(names + table.get_columns())

    def labelled(self, table: pl.DataFrame) -> pl.DataFrame:
        """Put the spellings to show behind a table of keys, as `drug_label` and `event_label`."""
        drugs, events = split_key(table["key"].to_numpy())
        return table.hstack(
            [
                self.spellings.drug_labels(drugs, self.drugs),
                self.spellings.event_labels(events, self.events),
            ]
        )
