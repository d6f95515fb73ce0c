"""Counted cases of a run with the vocabularies of their codes: what an explanation is made from."""

from typing import Protocol

from streams.core.cases.strata import AgeBands
from streams.core.counting.case_log import CaseLog
from streams.core.counting.level_codes import LevelCodes
from streams.core.counting.vocabulary import Vocabulary

__all__ = ["CodedCases"]


class CodedCases(Protocol):
    """Cases and the names of their codes: those of a detector now, or those known at a position."""

    @property
    def drugs(self) -> Vocabulary:
        """Return the names of drugs."""
        ...

    @property
    def events(self) -> Vocabulary:
        """Return the names of events."""
        ...

    @property
    def strata(self) -> Vocabulary:
        """Return the names of strata, with their parts joined."""
        ...

    @property
    def origins(self) -> Vocabulary:
        """Return the origins of reports."""
        ...

    @property
    def indications(self) -> Vocabulary:
        """Return the indications of cases, joined."""
        ...

    @property
    def levels(self) -> LevelCodes:
        """Return the aggregation levels of the codes."""
        ...

    @property
    def age_bands(self) -> AgeBands:
        """Return the age bands of the strata."""
        ...

    @property
    def log(self) -> CaseLog:
        """Return the rows of the cases."""
        ...
