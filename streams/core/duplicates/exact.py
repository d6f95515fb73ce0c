"""Exact duplicates: cases that share an identifier, and their master case.

The required links are a function of the latest versions of the cases alone; the difference from the
published links is published. So the result does not depend on the order of arrival or on the
batches, and a rebuilt index gives the same links.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Protocol

import msgspec

from schemas.link import CaseLink
from schemas.vocabulary import LinkBasis, LinkState
from streams.core.cases.link_decisions import decision_of, highest, is_linked_away, of_decider
from streams.core.cases.transitions import CaseVersion, joined
from streams.core.cases.versions import bare
from streams.core.duplicates.identifiers import CaseIdentifiers

__all__ = [
    "DECIDED_BY",
    "MOST_SHARING",
    "IdentityIndex",
    "KnownCase",
    "LinkStep",
    "MemoryIndex",
    "key_changes",
    "relink",
    "taken_in",
]

MOST_SHARING = 50
"""Most cases of one identifier [cases]; one with more is a placeholder, or a whole study."""

DECIDED_BY = "tocsin: identifiers"
"""Who made an exact link, as it states."""

_EPOCH = date(1970, 1, 1)
_NONE = CaseIdentifiers((), (), 0)


class KnownCase(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The latest version of a case, its identifiers, and with it every decision on the case."""

    version: CaseVersion
    identifiers: CaseIdentifiers = _NONE

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys of the case in the index: none once it is nullified."""
        return () if self.version.nullified else self.identifiers.keys


class IdentityIndex(Protocol):
    """The latest version of every case, and which cases share an identifier."""

    def cases(self, case_ids: Sequence[str]) -> Mapping[str, KnownCase]:
        """Return the cases that are known, of those asked for."""

    def sharing(self, key: str, most: int) -> set[str]:
        """Return the cases that have a key, or as many as `most` of them."""


class MemoryIndex:
    """An `IdentityIndex` that ends with the process."""

    def __init__(self) -> None:
        self._cases: dict[str, KnownCase] = {}
        self._sharing: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._cases)

    def __contains__(self, case_id: str) -> bool:
        return case_id in self._cases

    def cases(self, case_ids: Sequence[str]) -> Mapping[str, KnownCase]:
        """Return the cases that are known, of those asked for."""
        held = self._cases
        return {case_id: held[case_id] for case_id in case_ids if case_id in held}

    def sharing(self, key: str, most: int) -> set[str]:
        """Return the cases that have a key; all of them, as that costs nothing here."""
        return self._sharing.get(key, set())

    def update(self, updates: Mapping[str, KnownCase]) -> None:
        """Apply the updates of `relink`."""
        for case_id, case in updates.items():
            gone, come = key_changes(self._cases.get(case_id), case)
            for key in gone:
                self._sharing[key].discard(case_id)
            for key in come:
                self._sharing.setdefault(key, set()).add(case_id)
            self._cases[case_id] = case


def key_changes(held: KnownCase | None, case: KnownCase) -> tuple[set[str], set[str]]:
    """Return the keys that a case no longer has, and those it has now."""
    before, after = set(held.keys if held else ()), set(case.keys)
    return before - after, after - before


@dataclass(frozen=True, slots=True)
class LinkStep:
    """Link changes of a batch of versions.

    Attributes
    ----------
    updates
        The cases to store, by case id, with the decisions of `links` among theirs.
    links
        What to publish: changes only, by case id.
    refused
        Identifiers that with this batch became those of too many cases.
    """

    updates: dict[str, KnownCase]
    links: list[CaseLink]
    refused: tuple[str, ...]


def taken_in(arrived: Iterable[KnownCase], index: IdentityIndex) -> dict[str, KnownCase]:
    """Return the cases to store after a batch with links that are already published."""
    staged = _Staged(index)
    staged.take_in(list(arrived))
    return staged.updates


def relink(
    arrived: Iterable[KnownCase], index: IdentityIndex, also: Iterable[str] = ()
) -> LinkStep:
    """Compute the link changes required by a batch of versions.

    Cases that share an identifier, directly or through others, are one patient. Of them the master
    is the first that counts, then the most complete, then the earliest first received, then that
    with the smallest case id; the others are linked to it. A case that a person said is no
    duplicate stands for itself.

    Parameters
    ----------
    arrived
        Versions and links (`streams.core.cases.from_report.link_version`), in any order. Those
        without identifiers as well: a later one voids what an earlier one stated.
    index
        What was known before; it is only read.
    also
        Further cases of the index whose links to look at.
    """
    staged = _Staged(index)
    staged.take_in(list(arrived))
    affected, refused = staged.affected()
    affected.update(also)
    links: list[CaseLink] = []
    done: set[str] = set()
    for case_id in sorted(affected):
        if case_id not in done:
            together = staged.together(case_id)
            done |= together
            links += _links(staged, together)
    for link in links:
        case = staged.case(link.case_id)
        decided = highest(case.version.links, [decision_of(link)])
        version = msgspec.structs.replace(case.version, links=decided)
        staged.updates[link.case_id] = KnownCase(version, case.identifiers)
    return LinkStep(staged.updates, links, refused)


@dataclass
class _Staged:
    """The index as it will be after the batch."""

    index: IdentityIndex
    updates: dict[str, KnownCase] = field(default_factory=dict)
    known: dict[str, KnownCase] = field(default_factory=dict)
    groups: dict[str, set[str]] = field(default_factory=dict)
    come: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    gone: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def case(self, case_id: str) -> KnownCase:
        """Return a case that shares an identifier, and is known therefore."""
        case = self.named(case_id)
        assert case is not None
        return case

    def named(self, case_id: str) -> KnownCase | None:
        """Return a case that a link names; `None` if it was never seen."""
        if case_id not in self.updates and case_id not in self.known:
            self.known.update(self.index.cases([case_id]))
        return self.updates.get(case_id) or self.known.get(case_id)

    def take_in(self, arrived: Sequence[KnownCase]) -> None:
        """Merge versions with the stored cases; keep only those that change."""
        self.known.update(self.index.cases([case.version.case_id for case in arrived]))
        for case in arrived:
            case_id = case.version.case_id
            held = self.updates.get(case_id) or self.known.get(case_id)
            after = case if held is None else _joined(case, held)
            if after != held:
                self.updates[case_id] = after

    def affected(self) -> tuple[set[str], tuple[str, ...]]:
        """Return the cases whose links may change, and the keys that too many cases came to share.

        That is every case that shares an identifier, before or after, with one that changed.
        """
        affected = set(self.updates)
        touched: set[str] = set()
        for case_id, case in self.updates.items():
            held = self.known.get(case_id)
            gone, come = key_changes(held, case)
            touched.update(case.keys, gone)
            for key in gone:
                self.gone[key].add(case_id)
            for key in come:
                self.come[key].add(case_id)
        refused = []
        for key in sorted(touched):
            before, after = self._before(key), self._after(key)
            if len(before) <= MOST_SHARING or len(after) <= MOST_SHARING:
                affected |= before | after
            if len(before) <= MOST_SHARING < len(after):
                refused.append(key)
        return affected, tuple(refused)

    def _before(self, key: str) -> set[str]:
        # With so many, those that leave cannot hide that too many are left.
        return self.index.sharing(key, MOST_SHARING + 1 + len(self.gone.get(key, ())))

    def _after(self, key: str) -> set[str]:
        before = self._before(key)
        gone, come = self.gone.get(key, set()), self.come.get(key, set())
        if len(before) - len(gone) > MOST_SHARING or not (gone or come):
            return before
        return before - gone | come

    def together(self, case_id: str) -> set[str]:
        """Return the cases that are one patient with this one, itself among them."""
        found, waiting = {case_id}, [case_id]
        while waiting:
            case = self.case(waiting.pop())
            if _stands_alone(case):
                continue
            for key in case.keys:
                if key not in self.groups:
                    sharing = self._after(key)
                    self.groups[key] = set() if len(sharing) > MOST_SHARING else sharing
                for other in self.groups[key] - found:
                    if not _stands_alone(self.case(other)):
                        found.add(other)
                        waiting.append(other)
        return found


def _joined(case: KnownCase, held: KnownCase) -> KnownCase:
    version = joined(case.version, held.version)
    # Of two contents under one number the greater holds, as in the case stage.
    greater = max(case, held, key=lambda one: (bare(one.version), one.identifiers))
    return KnownCase(version, greater.identifiers)


def _stands_alone(case: KnownCase) -> bool:
    manual = of_decider(case.version.links, "manual")
    return manual is not None and manual.state == LinkState.REVERSED


def _rank(case: KnownCase) -> tuple[bool, int, int, str]:
    """Return the place of a case among those of one patient; the least is the master."""
    version = case.version
    away = is_linked_away(each for each in version.links if each.decider != "exact")
    return (
        away or bool(version.excluded),
        -case.identifiers.completeness,
        version.day,
        version.case_id,
    )


def _links(staged: _Staged, together: set[str]) -> list[CaseLink]:
    """Return the links to publish so that all cases but the master are linked to it."""
    cases = sorted((staged.case(case_id) for case_id in together), key=_rank)
    master = cases[0]
    links = []
    for case in sorted(cases, key=lambda one: one.version.case_id):
        held = of_decider(case.version.links, "exact")
        is_applied = held is not None and held.state == LinkState.APPLIED
        number = 1 if held is None else held.number + 1
        if case is not master:
            if not (held and is_applied and held.master == master.version.case_id):
                basis = _basis(case, master, cases)
                links.append(_applied(case, master, number, basis))
        elif held and is_applied and not case.version.nullified:
            was = staged.named(held.master)
            links.append(_reversed(case, was, held.master, number, LinkBasis(held.basis)))
    return links


def _basis(case: KnownCase, master: KnownCase, cases: Iterable[KnownCase]) -> LinkBasis:
    """Return the strongest reason, of those shared with the master if there are any."""
    for others in ([master], [each for each in cases if each is not case]):
        found = {
            basis for other in others for basis in _shared(case.identifiers, other.identifiers)
        }
        for basis in (LinkBasis.WORLDWIDE_ID, LinkBasis.SOURCE_ID, LinkBasis.CROSS_LISTED):
            if basis in found:
                return basis
    return LinkBasis.CROSS_LISTED


def _shared(one: CaseIdentifiers, other: CaseIdentifiers) -> Iterable[LinkBasis]:
    both_own = set(one.own) & set(other.own)
    if any(key.startswith("w:") for key in both_own):
        yield LinkBasis.WORLDWIDE_ID
    if any(key.startswith("s:") for key in both_own):
        yield LinkBasis.SOURCE_ID
    if set(one.keys) & set(other.keys) - both_own:
        yield LinkBasis.CROSS_LISTED


_REASONS = {
    LinkBasis.WORLDWIDE_ID: "both have one worldwide case number",
    LinkBasis.SOURCE_ID: "both have one case number of one sender",
    LinkBasis.CROSS_LISTED: "one lists a case number of the other, or both list the same",
}


def _applied(case: KnownCase, master: KnownCase, number: int, basis: LinkBasis) -> CaseLink:
    return CaseLink(
        case_id=case.version.case_id,
        master_case_id=master.version.case_id,
        state=LinkState.APPLIED,
        basis=basis,
        decision=number,
        decided_on=_day(case, master),
        decided_by=DECIDED_BY,
        reason=_REASONS[basis],
    )


def _reversed(
    case: KnownCase, was: KnownCase | None, master: str, number: int, basis: LinkBasis
) -> CaseLink:
    is_void = was is not None and was.version.nullified
    return CaseLink(
        case_id=case.version.case_id,
        master_case_id=master,
        state=LinkState.REVERSED,
        basis=basis,
        decision=number,
        decided_on=_day(case, was),
        decided_by=DECIDED_BY,
        reason="the other case was nullified" if is_void else "this case stands for the patient",
    )


def _day(case: KnownCase, other: KnownCase | None) -> date:
    days = [case.version.latest_received, *([other.version.latest_received] if other else ())]
    return _EPOCH + timedelta(days=max(days))
