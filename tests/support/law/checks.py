"""Checks of the patients, removed cases and input offsets in alerts and deltas of a history."""

import hashlib
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from urllib.parse import unquote

import numpy as np

from schemas.alert import Alert
from schemas.delta import Delta
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from tests.support.law.histories import DRUGS, EVENTS
from tests.support.law.recount import (
    Content,
    Message,
    labels,
    labels_of,
    latest_versions,
    removed,
)

EPOCH = date(1970, 1, 1)
HORIZON = date(2030, 1, 1)

__all__ = [
    "adjusted_expectation",
    "check_cases",
    "check_clinical",
    "check_labels",
    "check_origins",
    "check_removed",
    "names_of",
    "out_of",
    "snapshot_id_of",
]


def names_of(alert: Alert) -> tuple[str, str]:
    """Return what the key of a signal says of its drug and event, whatever they are shown as."""
    drug, event, _ = alert.signal_key.split("|")
    return unquote(drug), unquote(event)


def snapshot_id_of(alert: Alert) -> str:
    """Hash what the alert itself says it was made from; no rule asks for the test here."""
    whole = json.loads(alert.model_dump_json())
    names = ("as_of", "window", "evaluated_on", "rules_hash", "policy_hash", "prior_id")
    parts = [*(whole[name] for name in names), None, whole["strata"], whole["code_version"]]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def out_of(deltas: Iterable[Delta]) -> set[tuple[str, str, str, str]]:
    """Return what the deltas left of cases that are out: case, why, drugs and events."""
    found: Counter[tuple[str, str, str, str]] = Counter()
    once = {(delta.partition, delta.first_offset): delta for delta in deltas}
    for delta in once.values():
        for row in delta.removed.iter_rows(named=True):
            names = "+".join(row["drugs"]), "+".join(row["events"])
            found[row["case_id"], row["reason"], *names] += row["n"]
    assert set(found.values()) <= {0, 1}
    return {row for row, n in found.items() if n}


def check_removed(specs: Sequence[WindowSpec], alert: Alert, prefix: Sequence[Message]) -> None:
    spec = next(s for s in specs if s.kind is alert.window.kind and _is_of(s, alert))
    out = Counter(
        reason
        for reason, case in removed(prefix).values()
        if alert.window.label in labels_of(spec, case.day, alert.evaluated_on)
        and names_of(alert)[0] in case.drugs
        and names_of(alert)[1] in case.events
    )
    assert alert.n_removed_nullified == out["nullified"]
    assert alert.n_removed_duplicates == out["duplicate"]
    assert alert.n_removed_withdrawn == out["withdrawn"]


def _is_of(spec: WindowSpec, alert: Alert) -> bool:
    return spec.days is None or alert.window.label == f"sliding-{spec.days}d"


def check_origins(alert: Alert, cases: Sequence[Content]) -> None:
    """A source is one whatever dictionaries its reports are coded in."""
    assert alert.n_sources == len({(case.origin[2], "u" in case.origin[1]) for case in cases})
    named = {name for case in cases for name in case.origin[3:]}
    assert alert.dictionary_versions == tuple(sorted(named))


def check_clinical(alert: Alert, cases: Sequence[Content]) -> None:
    assert alert.n_life_threatening == sum(case.life_threatening for case in cases)
    assert alert.patients is not None
    groups = {name: n for name, n in alert.patients.model_dump().items() if n}
    ages, sexes = Counter(case.stratum[0] for case in cases), Counter(c.stratum[1] for c in cases)
    ages["age_unknown"], sexes["sex_unknown"] = ages.pop("unknown", 0), sexes.pop("unknown", 0)
    assert groups == +(ages + sexes)
    drug, event = names_of(alert)
    facts = [case.facts[case.drugs.index(drug)] for case in cases]
    assert alert.n_missing_lot == sum(not of_case.lot for of_case in facts)
    stated = [of_case.dechallenges for of_case in facts if of_case.dechallenges]
    assert alert.n_stating_dechallenge == len(stated)
    assert alert.n_positive_dechallenge == sum(True in answers for answers in stated)
    stated = [of_case.rechallenges for of_case in facts if of_case.rechallenges]
    assert alert.n_stating_rechallenge == len(stated)
    assert alert.n_positive_rechallenge == sum(True in answers for answers in stated)
    began = [(case.day, case.began(event)) for case in cases if case.began(event)]
    assert alert.n_stating_onset == len(began)
    assert alert.n_late == sum(day.toordinal() > onset + 90 for day, onset in began)
    days = sorted(
        case.began(event) - one.start
        for case, one in zip(cases, facts, strict=True)
        if case.began(event) and one.start
    )
    if not days:
        assert alert.time_to_onset is None
        return
    found = alert.time_to_onset
    assert found is not None
    after = [day for day in days if day >= 0]
    assert (found.n, found.n_before) == (len(after), len(days) - len(after))
    expected = [float(np.quantile(after, part)) if after else None for part in (0.25, 0.5, 0.75)]
    assert [found.lower_quartile, found.median, found.upper_quartile] == expected


def check_cases(detector: Detector, messages: Iterable[Message]) -> None:
    held = latest_versions(messages)
    expected = {
        (
            *(drug, event, case_id, (case.day - EPOCH).days),
            *("\x1f".join(case.stratum), case.serious, case.fatal),
            *("\x1f".join(case.origin), "\x1f".join(case.indications), case.completeness),
            *(case.suspected, case.life_threatening),
            int(dict(zip(case.drugs, case.courses, strict=False)).get(drug, 0)),
            case.began(event),
        )
        for case_id, case in held.items()
        if not case.excluded
        for drug, event in itertools.product(case.drugs, case.events)
    }
    codes = itertools.product(DRUGS, EVENTS)
    keys = {
        (detector.codes.drugs.code(d) << 32 | detector.codes.events.code(e)): (d, e)
        for d, e in codes
    }
    rows = detector.log.cases_of(np.array(sorted(keys)), None, (HORIZON - EPOCH).days)
    rows = rows.drop("block", "at")
    strata, origins = detector.codes.strata.names, detector.codes.origins.names
    indications = detector.codes.indications.names
    found = [
        (
            *(*keys[key], case_id, day, strata[stratum], serious, fatal),
            *(origins[origin], indications[given_for], *rest),
        )
        for key, case_id, day, stratum, serious, fatal, origin, given_for, *rest in rows.iter_rows()
    ]
    assert len(found) == len(set(found))
    assert set(found) == expected


def check_labels(alert: Alert, prefix: Sequence[Message]) -> None:
    drugs, events = labels(prefix)
    drug, event = names_of(alert)
    assert (alert.drug, alert.event) == (drugs.get(drug, drug), events.get(event, event))


def adjusted_expectation(cases: Sequence[Content], drug: str, event: str) -> float:
    """Sum over calendar quarter, age band and sex; an age that is not stated is a band."""
    strata = defaultdict(list)
    for case in cases:
        band = -1 if case.age < 0 else sum(case.age >= end for end in (0.5, 1, 2, 7, 18, 45, 65))
        quarter = case.day.year, (case.day.month - 1) // 3
        strata[quarter, band, case.stratum[1]].append(case)
    return sum(
        sum(drug in case.drugs for case in inside)
        * sum(event in case.events for case in inside)
        / len(inside)
        for inside in strata.values()
    )
