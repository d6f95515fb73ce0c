"""Codes of the cases of a run: changes of cases in, rows of the case log out."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from schemas.delta import STRATUM
from schemas.errors import StateError
from streams.core.cases.strata import AgeBands
from streams.core.counting.case_log import CASE_LOG
from streams.core.counting.vocabulary import Vocabulary

__all__ = ["REBUILD", "UNIT", "CaseCodes"]

UNIT = "\x1f"
"""Separator of the parts of a stratum; no part contains it."""

_VOCABULARIES = ("drugs", "events", "strata", "origins", "indications")
REBUILD = "Run tocsin state rebuild --detector: it counts the deltas again"
"""End of an error about a snapshot that no longer fits: what to do."""


class CaseCodes:
    """Vocabularies of drugs, events, strata, origins and indications, and the age bands.

    Parameters
    ----------
    age_bands
        Age bands of the adjusted strata.
    """

    def __init__(self, age_bands: AgeBands) -> None:
        self.age_bands = age_bands
        self.drugs, self.events, self.strata = Vocabulary(), Vocabulary(), Vocabulary()
        self.origins, self.indications = Vocabulary(), Vocabulary()
        self._rows = 0

    def encode(self, changes: pl.DataFrame) -> pl.DataFrame:
        """Return rows of the case log for rows of `schemas.delta.CASE_CHANGES`, in their order."""
        stratum = changes.select(pl.concat_str(STRATUM, separator=UNIT))[STRATUM[0]]
        seq = pl.int_range(self._rows, self._rows + changes.height, dtype=pl.Int64, eager=True)
        self._rows += changes.height
        encoded = {
            "seq": seq,
            "day": changes["day"].cast(pl.Int32),
            "stratum": self.strata.encode(stratum),
            "block": pl.Series(self.age_bands.blocks(changes)),
            "drugs": self.drugs.encode(changes["drugs"]),
            "events": self.events.encode(changes["events"]),
            "origin": self.origins.encode(changes["origin"]),
            "indications": self.indications.encode(changes["indications"]),
        }
        return pl.DataFrame(
            {name: encoded[name] if name in encoded else changes[name] for name in CASE_LOG}
        )

    def facts(self) -> dict[str, Any]:
        """Return what a snapshot keeps beside the rows."""
        return {
            **{name: list(getattr(self, name).names) for name in _VOCABULARIES},
            "rows": self._rows,
            "age_bands": list(self.age_bands.upper_ends),
        }

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Restore new codes from a snapshot.

        Raises
        ------
        StateError
            If the age bands have changed: the rows of the snapshot are coded by them.
        """
        if facts["age_bands"] != list(self.age_bands.upper_ends):
            msg = (
                f"detector: age bands must be those of the snapshot, {facts['age_bands']} years; "
                f"got {list(self.age_bands.upper_ends)}. "
            )
            raise StateError(msg + REBUILD)
        for name in _VOCABULARIES:
            setattr(self, name, Vocabulary(facts[name]))
        self._rows = facts["rows"]
