"""Probable duplicates: compared fields, clusters of similar cases, and link decisions."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Self

import polars as pl
from pydantic import Field, ValidationError, model_validator

from schemas.base import Message
from schemas.errors import InputError
from schemas.link import CaseLink
from schemas.report import Report
from schemas.vocabulary import LinkBasis, LinkState, ProductRole, Sex
from streams.core.cases.levels import plain_parts
from streams.core.cases.link_decisions import is_linked_away, of_decider
from streams.core.cases.transitions import CaseVersion
from streams.core.duplicates.identifiers import completeness

__all__ = [
    "DEFAULT_POLICY",
    "LEVELS",
    "RECORDS",
    "Candidate",
    "LinkagePolicy",
    "Pair",
    "candidate_of",
    "clusters",
    "decide",
    "records_frame",
]

_EPOCH = date(1970, 1, 1)
_SUSPECTS = (ProductRole.SUSPECT, ProductRole.INTERACTING)
DECIDED_BY = "tocsin link"

LEVELS = {
    "age": 3,
    "sex": 2,
    "country": 2,
    "weight": 3,
    "onset": 3,
    "received": 3,
    "drugs": 4,
    "events": 4,
}
"""Number of agreement levels by compared field; the last level is disagreement."""

RECORDS: dict[str, pl.DataType | type[pl.DataType]] = {
    "unique_id": pl.String,
    "age": pl.Float64,  # years
    "sex": pl.String,
    "country": pl.String,
    "weight": pl.Float64,  # kg
    "onset": pl.Int32,  # of the first reaction, days since 1970-01-01
    "received": pl.Int32,  # first, days since 1970-01-01
    "drugs": pl.List(pl.String),
    "events": pl.List(pl.String),
}
"""Columns of compared cases; a field that is not stated is null, and null never equals null."""

Share = Annotated[float, Field(gt=0, lt=1)]


class LinkagePolicy(Message):
    """Thresholds and agreement shares of probable duplicates; see `linkage.toml`."""

    expected_share: Share
    suspected_from: Share
    applied_from: Share | None = None
    agreement: dict[str, tuple[Share, ...]]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a policy from a TOML file.

        Raises
        ------
        InputError
            If it cannot be read, or breaks a rule; the message names the first.
        """
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
            # TOML has arrays where the model has tuples.
            agreement = content.get("agreement", {})
            content["agreement"] = {name: tuple(shares) for name, shares in agreement.items()}
            return cls(**content)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError) as error:
            msg = f"policy {path}: must be a readable TOML file; got {error}"
            raise InputError(msg) from error
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, problem["loc"])) or "policy"
            msg = f"policy {path}: {place}: {problem['msg'].removeprefix('Value error, ')}"
            raise InputError(msg) from error

    @model_validator(mode="after")
    def _levels(self) -> Self:
        if {name: len(shares) for name, shares in self.agreement.items()} != LEVELS:
            msg = f"agreement must have these fields and numbers of levels: {LEVELS}"
            raise ValueError(msg)
        for name, shares in self.agreement.items():
            if abs(sum(shares) - 1) > 1e-9:
                msg = f"agreement.{name} must sum to 1; got {sum(shares)}"
                raise ValueError(msg)
        if self.applied_from is not None and self.applied_from < self.suspected_from:
            msg = "applied_from must not be below suspected_from"
            raise ValueError(msg)
        return self


DEFAULT_POLICY = Path(__file__).with_name("linkage.toml")
"""The default policy; it applies no link without a person's decision."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """The latest version of a case, and its compared fields."""

    version: CaseVersion
    age: float | None
    sex: str | None
    country: str | None
    weight: float | None
    onset: int | None
    completeness: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Two cases, their probability to be one patient, and the fields that agree and disagree."""

    first: str
    second: str
    score: float
    agreed: tuple[str, ...]
    disagreed: tuple[str, ...]


def candidate_of(version: CaseVersion, report: Report) -> Candidate:
    """Reduce a report to its compared fields.

    Parameters
    ----------
    report
        A report, or any object with the attributes of one (`streams.intake.native`).
    """
    patient = report.patient
    onsets = [event.onset for event in report.reactions if event.onset is not None]
    return Candidate(
        version,
        patient.age_years,
        None if patient.sex is Sex.UNKNOWN else patient.sex.value,
        report.occurrence_country or report.reporter.country,
        patient.weight_kg,
        (min(onsets) - _EPOCH).days if onsets else None,
        completeness(report),
    )


def records_frame(cases: Iterable[Candidate]) -> pl.DataFrame:
    """Return the cases that may be duplicates, by id, in the columns of `RECORDS`.

    Left out are cases that are nullified or withdrawn, those that a person or an identifier linked
    already, and those without a suspect drug or a reaction: too little is known of them.
    """
    rows = [
        {
            "unique_id": case.version.case_id,
            "age": case.age,
            "sex": case.sex,
            "country": case.country,
            "weight": case.weight,
            "onset": case.onset,
            "received": case.version.day,
            "drugs": plain_parts(case.version.drugs.split("\x1f")),
            "events": plain_parts(case.version.events.split("\x1f")),
        }
        for case in cases
        if _may_be_linked(case.version)
    ]
    return pl.DataFrame(rows, schema=RECORDS).sort("unique_id")


def _may_be_linked(version: CaseVersion) -> bool:
    others = [decision for decision in version.links if decision.decider != "probable"]
    return not (
        version.nullified
        or version.withdrawn
        or not version.drugs
        or not version.events
        or version.excluded == "duplicate"
        or is_linked_away(others)
    )


def clusters(pairs: Iterable[Pair], threshold: float) -> list[tuple[str, ...]]:
    """Cluster cases by complete linkage: **every** two reach a score; the best pair comes first.

    Single links would chain: A like B and B like C makes no A like C.

    >>> ab, bc = Pair("A", "B", 0.99, (), ()), Pair("B", "C", 0.98, (), ())
    >>> clusters([ab, bc], 0.9)
    [('A', 'B')]
    >>> clusters([ab, bc, Pair("A", "C", 0.9, (), ())], 0.9)
    [('A', 'B', 'C')]
    """
    close: dict[str, set[str]] = {}
    ranked = sorted(
        (pair for pair in pairs if pair.score >= threshold),
        key=lambda pair: (-pair.score, pair.first, pair.second),
    )
    for pair in ranked:
        close.setdefault(pair.first, set()).add(pair.second)
        close.setdefault(pair.second, set()).add(pair.first)
    together: dict[str, frozenset[str]] = {case: frozenset([case]) for case in close}
    for pair in ranked:
        left, right = together[pair.first], together[pair.second]
        if left is not right and all(close[case] >= right for case in left):
            joined = left | right
            together.update(dict.fromkeys(joined, joined))
    return sorted(tuple(sorted(cluster)) for cluster in set(together.values()) if len(cluster) > 1)


def decide(
    cases: Mapping[str, Candidate], pairs: Sequence[Pair], policy: LinkagePolicy
) -> list[CaseLink]:
    """Return the links to publish: those that differ from the stored decisions of the cases.

    In each cluster the case that counts, else the most complete, the earliest received or that with
    the smallest id is the master. A link that no longer follows is reversed, so that no
    link of an earlier run, or another policy, remains.
    """
    by_cases = {frozenset((pair.first, pair.second)): pair for pair in pairs}
    wanted: dict[str, tuple[str, Pair]] = {}
    for cluster in clusters(pairs, policy.suspected_from):
        master = min(cluster, key=lambda case: _rank(cases[case]))
        for case in cluster:
            if case != master:
                wanted[case] = (master, by_cases[frozenset((case, master))])
    links = []
    for case_id in sorted(cases):
        stored = of_decider(cases[case_id].version.links, "probable")
        if case_id in wanted:
            master, pair = wanted[case_id]
            is_applied = policy.applied_from is not None and pair.score >= policy.applied_from
            state = LinkState.APPLIED if is_applied else LinkState.SUSPECTED
            if stored is None or (stored.state, stored.master) != (state.value, master):
                links.append(_link(cases, case_id, master, state, pair))
        elif stored is not None and stored.state != LinkState.REVERSED:
            nothing = Pair(case_id, stored.master, 0.0, (), ())
            links.append(_link(cases, case_id, stored.master, LinkState.REVERSED, nothing))
    return links


def _rank(case: Candidate) -> tuple[bool, int, int, str]:
    version = case.version
    return bool(version.excluded), -case.completeness, version.day, version.case_id


def _link(
    cases: Mapping[str, Candidate], case_id: str, master: str, state: LinkState, pair: Pair
) -> CaseLink:
    stored = of_decider(cases[case_id].version.links, "probable")
    days = [
        cases[member].version.latest_received for member in (case_id, master) if member in cases
    ]
    is_reversed = state is LinkState.REVERSED
    return CaseLink(
        case_id=case_id,
        master_case_id=master,
        state=state,
        basis=LinkBasis.PROBABLE,
        decision=1 if stored is None else stored.number + 1,
        decided_on=_EPOCH + timedelta(days=max(days)),
        decided_by=DECIDED_BY,
        reason=(
            "the two are no longer alike enough"
            if is_reversed
            else f"{pair.score:.4f} likely to be one patient"
        ),
        score=pair.score,
        agreed=pair.agreed,
        disagreed=pair.disagreed,
    )
