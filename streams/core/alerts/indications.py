"""Indications of the products of cases, and whether an event is the indication itself.

An event belongs to an indication if both have the same name or the same group of the domain's
vocabulary, or if it is a malignancy and the indication a cancer.
"""

from array import array
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from schemas.domain import domain_vocabulary
from schemas.normal_form import normal_term
from streams.core.counting.vocabulary import Vocabulary

__all__ = ["Indications", "groups_of_event", "groups_of_indications"]

_UNIT = "\x1f"
_MOST_NAMES = 100_000


@lru_cache(maxsize=_MOST_NAMES)
def groups_of_event(event: str) -> frozenset[str]:
    """Return the indications that may explain an event: groups, and its own name.

    >>> sorted(groups_of_event("Malignant neoplasm progression"))
    ['cancer', 'malignant neoplasm progression']
    """
    vocabulary = domain_vocabulary()
    found = {normal_term(event), vocabulary.indication(event)}
    if vocabulary.family(event) == "malignancy":
        found.add("cancer")
    return frozenset(name for name in found if name)


@lru_cache(maxsize=_MOST_NAMES)
def _groups_of(indication: str) -> frozenset[str]:
    group = domain_vocabulary().indication(indication)
    return frozenset(name for name in (normal_term(indication), group) if name)


@lru_cache(maxsize=_MOST_NAMES)
def groups_of_indications(joined: str) -> frozenset[str]:
    """Return the groups of a case's indications, of the vocabulary and their own names.

    >>> sorted(groups_of_indications("Lung cancer stage IV"))
    ['cancer', 'lung cancer stage iv']
    """
    return frozenset().union(*map(_groups_of, filter(None, joined.split(_UNIT))))


class Indications:
    """Index of indication combinations that belong to an event; grows with their vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._known = 0
        self._of_group: dict[str, array[int]] = {}

    def shared(self, event: str, code: int) -> frozenset[str]:
        """Return the groups that an event shares with a combination; empty if none.

        Parameters
        ----------
        code
            Code of the combination in the vocabulary.
        """
        return groups_of_event(event) & groups_of_indications(self._vocabulary.names[code])

    def of_groups(self, groups: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Return, by code of the vocabulary, whether a combination is of any of the groups."""
        names = self._vocabulary.names
        for code in range(self._known, len(names)):
            for group in groups_of_indications(names[code]):
                self._of_group.setdefault(group, array("I")).append(code)
        self._known = len(names)
        flags = np.zeros(len(names), dtype=np.bool_)
        for group in groups:
            flags[np.array(self._of_group[group])] = True
        return flags
