"""Exact duplicates: cases that share an identifier, and their master case.

The required links are a function of the latest versions of the cases alone; the difference from the
published links is published. So the result does not depend on the order of arrival or on the
batches, and a rebuilt index gives the same links.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import msgspec

from schemas.link import CaseLink
from schemas.vocabulary import LinkBasis, LinkState
from streams.core.cases.link_decisions import decision_of, highest, is_linked_away, of_decider
from streams.core.cases.names import SEPARATOR
from streams.core.cases.strata import UNKNOWN
from streams.core.cases.transitions import CaseVersion, joined
from streams.core.cases.versions import bare
from streams.core.duplicates.identifiers import CaseIdentifiers
from streams.core.duplicates.known_cases import IdentityIndex, KnownCase, key_changes

__all__ = [
    "DECIDED_BY",
    "MOST_SHARING",
    "LinkStep",
    "cases_to_store",
    "relink",
]

MOST_SHARING = 50
"""Most cases of one identifier [cases]; one with more is a placeholder, or a whole study."""

DECIDED_BY = "tocsin: identifiers"
"""`decided_by` of an exact link."""

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class LinkStep:
    """Link changes of a batch of versions.

    Attributes
    ----------
    updates
        The cases to store, by case id, with the decisions of `links` among theirs.
    links
        Changes to publish, by case id.
    refused
        Identifiers that too many cases share since this batch.
    """

    updates: dict[str, KnownCase]
    links: list[CaseLink]
    refused: tuple[str, ...]


def cases_to_store(arrived: Iterable[KnownCase], index: IdentityIndex) -> dict[str, KnownCase]:
    """Return the cases to store after a batch with links that are already published."""
    staged = _Staged(index)
    staged.merge(list(arrived))
    return staged.updates


def relink(
    arrived: Iterable[KnownCase], index: IdentityIndex, also: Iterable[str] = ()
) -> LinkStep:
    """Compute the link changes required by a batch of versions.

    Cases that share an identifier, directly or through others, are one patient. Their master is
    the first that counts, then the most complete, then the earliest first received, then that
    with the smallest case id; the others are linked to it. Where only a sender's number joins
    two cases that differ in age, sex and product, the link is suspected, and both count. A case
    that a person decided to be no duplicate is a patient of its own.

    Parameters
    ----------
    arrived
        Versions and links (`streams.core.cases.from_report.link_version`), in any order. Those
        without identifiers as well: a later one voids what an earlier one stated.
    index
        State before the batch; it is only read.
    also
        Other cases of the index whose links to compute.
    """
    staged = _Staged(index)
    staged.merge(list(arrived))
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
    """Index after a batch, before it is stored."""

    index: IdentityIndex
    updates: dict[str, KnownCase] = field(default_factory=dict)
    known: dict[str, KnownCase] = field(default_factory=dict)
    groups: dict[str, set[str]] = field(default_factory=dict)
    added: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    removed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def case(self, case_id: str) -> KnownCase:
        """Return a case that is known because it shares an identifier."""
        case = self.named(case_id)
        assert case is not None
        return case

    def named(self, case_id: str) -> KnownCase | None:
        """Return a case that a link names; `None` if it was never seen."""
        if case_id not in self.updates and case_id not in self.known:
            self.known.update(self.index.cases([case_id]))
        return self.updates.get(case_id) or self.known.get(case_id)

    def merge(self, arrived: Sequence[KnownCase]) -> None:
        """Merge versions with the stored cases; keep only those that change."""
        self.known.update(self.index.cases([case.version.case_id for case in arrived]))
        for case in arrived:
            case_id = case.version.case_id
            current = self.updates.get(case_id) or self.known.get(case_id)
            after = case if current is None else _joined(case, current)
            if after != current:
                self.updates[case_id] = after

    def affected(self) -> tuple[set[str], tuple[str, ...]]:
        """Return the cases whose links may change, and the keys that now too many cases share.

        That is every case that shares an identifier, before or after, with one that changed.
        """
        affected = set(self.updates)
        touched: set[str] = set()
        for case_id, case in self.updates.items():
            removed, added = key_changes(self.known.get(case_id), case)
            touched.update(case.keys, removed)
            for key in removed:
                self.removed[key].add(case_id)
            for key in added:
                self.added[key].add(case_id)
        refused = []
        for key in sorted(touched):
            before, after = self._before(key), self._after(key)
            if len(before) <= MOST_SHARING or len(after) <= MOST_SHARING:
                affected |= before | after
            if len(before) <= MOST_SHARING < len(after):
                refused.append(key)
        return affected, tuple(refused)

    def _before(self, key: str) -> set[str]:
        # Enough to see, after those removed, whether too many remain.
        return self.index.sharing(key, MOST_SHARING + 1 + len(self.removed.get(key, ())))

    def _after(self, key: str) -> set[str]:
        before = self._before(key)
        removed, added = self.removed.get(key, set()), self.added.get(key, set())
        if len(before) - len(removed) > MOST_SHARING or not (removed or added):
            return before
        return before - removed | added

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


def _joined(case: KnownCase, other: KnownCase) -> KnownCase:
    version = joined(case.version, other.version)
    # Of two contents under one number the greater is current, as in the case stage.
    greater = max(case, other, key=lambda known: (bare(known.version), known.identifiers))
    return KnownCase(version, greater.identifiers)


def _stands_alone(case: KnownCase) -> bool:
    manual = of_decider(case.version.links, "manual")
    return manual is not None and manual.state == LinkState.REVERSED


def _rank(case: KnownCase) -> tuple[bool, int, int, str]:
    """Return the rank of a case among those of one patient; the least is the master."""
    version = case.version
    away = is_linked_away(decision for decision in version.links if decision.decider != "exact")
    return (
        away or bool(version.excluded),
        -case.identifiers.completeness,
        version.day,
        version.case_id,
    )


def _links(staged: _Staged, together: set[str]) -> list[CaseLink]:
    """Return the links to publish so that each case but the master has its link."""
    cases = sorted((staged.case(case_id) for case_id in together), key=_rank)
    wanted = _wanted(cases)
    links = []
    for case in sorted(cases, key=lambda known: known.version.case_id):
        decision = of_decider(case.version.links, "exact")
        number = 1 if decision is None else decision.number + 1
        if (link := wanted.get(case.version.case_id)) is not None:
            master, state = link
            found = decision and (decision.master, decision.state)
            if found != (master.version.case_id, state):
                links.append(_linked(case, master, number, _basis(case, master, cases), state))
        elif decision and decision.state != LinkState.REVERSED and not case.version.nullified:
            former = staged.named(decision.master)
            links.append(
                _reversed(case, former, decision.master, number, LinkBasis(decision.basis))
            )
    return links


def _wanted(cases: Sequence[KnownCase]) -> dict[str, tuple[KnownCase, LinkState]]:
    """Return the master and the state of the link of each case that needs one, by case id.

    A case is linked to the first master whose patient it may be. If it contradicts them all, it is
    a master too, and suspected to be a duplicate of the first.

    Parameters
    ----------
    cases
        Those that share identifiers, the master first.
    """
    masters: list[KnownCase] = []
    wanted = {}
    for case in cases:
        fitting = (master for master in masters if not _contradicts(case, master, cases))
        if (master := next(fitting, None)) is not None:
            wanted[case.version.case_id] = master, LinkState.APPLIED
            continue
        if masters:
            wanted[case.version.case_id] = masters[0], LinkState.SUSPECTED
        masters.append(case)
    return wanted


def _contradicts(case: KnownCase, master: KnownCase, cases: Iterable[KnownCase]) -> bool:
    """Return whether only a sender's number joins two cases that state different patients.

    They differ in age, sex and product, and state all three. Senders use numbers again.
    """
    one, other = case.version, master.version
    return (
        _age_differs(one, other)
        and one.sex != other.sex
        and UNKNOWN not in (one.sex, other.sex)
        and "" not in (one.drugs, other.drugs)
        and set(one.drugs.split(SEPARATOR)).isdisjoint(other.drugs.split(SEPARATOR))
        and _basis(case, master, cases) is LinkBasis.SOURCE_ID
    )


def _age_differs(one: CaseVersion, other: CaseVersion) -> bool:
    """Return whether both state an age, more than a year apart, or else another age group."""
    if one.age_years >= 0 and other.age_years >= 0:
        return abs(one.age_years - other.age_years) > 1
    return one.age_group != other.age_group and UNKNOWN not in (one.age_group, other.age_group)


def _basis(case: KnownCase, master: KnownCase, cases: Iterable[KnownCase]) -> LinkBasis:
    """Return the strongest reason, of those shared with the master if there are any."""
    for others in ([master], [other for other in cases if other is not case]):
        found = {
            basis for other in others for basis in _shared(case.identifiers, other.identifiers)
        }
        for basis in (
            LinkBasis.WORLDWIDE_ID,
            LinkBasis.REPORT_NUMBER,
            LinkBasis.SOURCE_ID,
            LinkBasis.CROSS_LISTED,
        ):
            if basis in found:
                return basis
    return LinkBasis.CROSS_LISTED


def _shared(first: CaseIdentifiers, second: CaseIdentifiers) -> Iterable[LinkBasis]:
    both_own = set(first.own) & set(second.own)
    if any(key.startswith("w:") for key in both_own):
        yield LinkBasis.WORLDWIDE_ID
    if any(key.startswith("r:") for key in both_own):
        yield LinkBasis.REPORT_NUMBER
    if any(key.startswith("s:") for key in both_own):
        yield LinkBasis.SOURCE_ID
    if set(first.keys) & set(second.keys) - both_own:
        yield LinkBasis.CROSS_LISTED


_REASONS = {
    LinkBasis.WORLDWIDE_ID: "both have one worldwide case number",
    LinkBasis.REPORT_NUMBER: "one report number is that of both",
    LinkBasis.SOURCE_ID: "both have one case number of one sender",
    LinkBasis.CROSS_LISTED: "one lists a case number of the other, or both list the same",
}


def _linked(
    case: KnownCase, master: KnownCase, number: int, basis: LinkBasis, state: LinkState
) -> CaseLink:
    reason = _REASONS[basis]
    if state == LinkState.SUSPECTED:
        reason += ", but the patients differ in age, sex and product"
    return CaseLink(
        case_id=case.version.case_id,
        master_case_id=master.version.case_id,
        state=state,
        basis=basis,
        decision=number,
        decided_on=_day(case, master),
        decided_by=DECIDED_BY,
        reason=reason,
    )


def _reversed(
    case: KnownCase, former: KnownCase | None, master: str, number: int, basis: LinkBasis
) -> CaseLink:
    is_void = former is not None and former.version.nullified
    return CaseLink(
        case_id=case.version.case_id,
        master_case_id=master,
        state=LinkState.REVERSED,
        basis=basis,
        decision=number,
        decided_on=_day(case, former),
        decided_by=DECIDED_BY,
        reason="the other case was nullified" if is_void else "this case stands for the patient",
    )


def _day(case: KnownCase, other: KnownCase | None) -> date:
    days = [case.version.latest_received, *([other.version.latest_received] if other else ())]
    return _EPOCH + timedelta(days=max(days))
