"""Counted cases by spelling of their drugs and events: the label of a name is the most frequent.

A label depends on the counted cases alone, so it is the same after any order of arrival, and no
count depends on it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.core.cases.spellings import most_frequent, usual_drug, usual_event
from streams.core.counting.count_changes import Changes, CountChanges
from streams.core.counting.sorted_counts import Keys
from streams.core.counting.vocabulary import Vocabulary

__all__ = ["Spellings"]


class Spellings:
    """Number of counted cases by name and spelling, of drugs and events."""

    def __init__(self) -> None:
        self._drugs, self._events = _SpellingCounts(usual_drug), _SpellingCounts(usual_event)

    def add_cases(self, changes: CountChanges) -> None:
        """Add cases under their drugs and events, whatever the spelling."""
        self._drugs.add_cases(changes.drugs, changes.n)
        self._events.add_cases(changes.events, changes.n)

    def add_spellings(self, encoded: pl.DataFrame, changes: pl.DataFrame) -> None:
        """Add the spellings of the same cases that are not the usual ones.

        Parameters
        ----------
        encoded, changes
            The same rows, of `streams.core.counting.case_log.CASE_LOG` and of
            `schemas.delta.CASE_CHANGES`.
        """
        self._drugs.add_spellings(encoded["drugs"], changes["drug_spellings"], encoded["n"])
        self._events.add_spellings(encoded["events"], changes["event_spellings"], encoded["n"])

    def drug_labels(self, codes: Keys, drugs: Vocabulary) -> pl.Series:
        """Return the label of each drug, by its code."""
        return self._drugs.labels(codes, drugs.names).alias("drug_label")

    def event_labels(self, codes: Keys, events: Vocabulary) -> pl.Series:
        """Return the label of each event, by its code."""
        return self._events.labels(codes, events.names).alias("event_label")

    def facts(self) -> dict[str, Any]:
        """Return what a snapshot keeps besides the cases: the unusual spellings."""
        return {"drugs": self._drugs.facts(), "events": self._events.facts()}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Restore the unusual spellings; the cases are added as they were counted."""
        self._drugs.restore(facts["drugs"])
        self._events.restore(facts["events"])


class _SpellingCounts:
    """Number of counted cases by name and spelling, of one vocabulary.

    Parameters
    ----------
    usual
        Returns the usual spelling of a name.
    """

    def __init__(self, usual: Callable[[str], str]) -> None:
        self._usual = usual
        self._n: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)  # by code of the name
        self._unusual: dict[int, dict[str, int]] = {}  # by code, of those cases

    def add_cases(self, changes: Changes, n: npt.NDArray[np.int8]) -> None:
        codes = changes.keys >> 32  # without the stratum
        missing = int(codes.max(initial=-1)) + 1 - len(self._n)
        if missing > 0:
            self._n = np.append(self._n, np.zeros(missing + len(self._n) // 2, dtype=np.int64))
        np.add.at(self._n, codes, n.astype(np.int64)[changes.rows])

    def add_spellings(self, names: pl.Series, spellings: pl.Series, n: pl.Series) -> None:
        if spellings.null_count() == len(spellings):
            return
        sums = (
            pl.LazyFrame({"name": names, "spelling": spellings, "n": n.cast(pl.Int64)})
            .filter(pl.col("spelling").is_not_null())
            .explode("name", "spelling")
            .filter(pl.col("spelling") != "")
            .group_by("name", "spelling")
            .agg(pl.col("n").sum())
            .collect()
        )
        for name, spelling, number in sums.iter_rows():
            counts = self._unusual.setdefault(name, {})
            counts[spelling] = counts.get(spelling, 0) + number
            if counts[spelling] == 0:
                del counts[spelling]

    def labels(self, codes: Keys, names: Sequence[str]) -> pl.Series:
        distinct, places = np.unique(codes, return_inverse=True)
        shown = [self._label(code, names[code]) for code in distinct.tolist()]
        return pl.Series(shown, dtype=pl.String).gather(places)

    def _label(self, code: int, name: str) -> str:
        """Return the most frequent spelling of a name; without a counted case the name itself."""
        n = int(self._n[code]) if code < len(self._n) else 0
        if n == 0:
            return name
        unusual = self._unusual.get(code)
        if not unusual:
            return self._usual(name)
        usual = n - sum(unusual.values())
        return most_frequent({**unusual, self._usual(name): usual} if usual else unusual)

    def facts(self) -> list[tuple[int, dict[str, int]]]:
        return [(code, dict(counts)) for code, counts in self._unusual.items() if counts]

    def restore(self, facts: Sequence[tuple[int, dict[str, int]]]) -> None:
        self._unusual = {code: dict(counts) for code, counts in facts}
