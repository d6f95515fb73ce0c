"""What an alert must say, worked out from its messages with nothing but dictionaries and sets."""

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from detectors.gamma_mixture import GammaMixture
from schemas.alert import Alert
from schemas.link import CaseLink
from schemas.report import Patient
from schemas.vocabulary import LinkBasis, LinkState, Seriousness, Sex
from tests.broker.processes import stream

PRIOR = GammaMixture(
    alpha1=3.25, beta1=0.4, alpha2=2.02, beta2=1.9, weight=0.065, likelihood="mixture_of_truncated"
)


_DECIDERS = {"manual": "person", "worldwide_id": "matching", "probable": "linkage"}


def varied_stream(cases: int, seed: int) -> list[tuple[bytes, bytes]]:
    """Return the messages of `stream`, each with its key, and among them links.

    Patients are of two sexes or none, some cases are serious. A link says that a case is a
    duplicate, or that it is not after all; numbers of decisions come in any order.
    """
    messages, _ = stream(cases, seed)
    varied: list[tuple[bytes, bytes]] = []
    for one in messages:
        chance = random.Random(f"{one.message_id} {len(varied)}")
        of_case = random.Random(one.message_id)
        sex = of_case.choice((Sex.FEMALE, Sex.MALE, Sex.UNKNOWN))
        serious = (Seriousness.HOSPITALISATION,) if of_case.random() < 0.3 else ()
        report = one.model_copy(update={"patient": Patient(sex=sex), "seriousness": serious})
        key = one.case_id.encode()
        varied.append((key, report.model_dump_json().encode()))
        if chance.random() < 0.15:
            basis = chance.choice((LinkBasis.MANUAL, LinkBasis.WORLDWIDE_ID, LinkBasis.PROBABLE))
            link = CaseLink(
                case_id=one.case_id,
                master_case_id="C0" if one.case_id != "C0" else "C1",
                state=chance.choice((LinkState.APPLIED, LinkState.APPLIED, LinkState.REVERSED)),
                basis=basis,
                decision=chance.randrange(1, 10**9),
                decided_on=one.latest_received,
                decided_by="test",
                reason="test",
                score=0.9 if basis is LinkBasis.PROBABLE else None,
            )
            varied.append((key, link.model_dump_json().encode()))
    return varied


def require_recounted(alert: Alert, messages: Iterable[bytes]) -> None:
    """Check counts, cases and expectations of an alert against the messages before its offsets.

    Knows of reports what `varied_stream` says, and no more.
    """
    latest: dict[str, tuple[int, Mapping[str, Any]]] = {}
    decided: dict[str, dict[str, tuple[int, str]]] = defaultdict(dict)
    for raw in messages:
        try:
            content = json.loads(raw)
            case_id = content["case_id"]
        except (ValueError, TypeError, KeyError):
            continue  # broken
        if "decision" in content:
            decider = _DECIDERS[content["basis"]]
            mine = (content["decision"], content["state"])
            decided[case_id][decider] = max(mine, decided[case_id].get(decider, mine))
            continue
        version = content["version"]
        if case_id not in latest or version > latest[case_id][0]:
            latest[case_id] = (version, content)
    first, last = _days(alert)
    n_observed = n_drug = n_event = 0
    both: list[tuple[str, str]] = []
    serious = 0
    strata: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    total = 0
    for case_id, (_, content) in latest.items():
        day = date.fromisoformat(content["first_received"])
        states = {decider: state for decider, (_, state) in decided[case_id].items()}
        if states.get("person", "applied" if "applied" in states.values() else "") == "applied":
            continue
        if content["revision"] is not None or not first <= day <= last:
            continue
        with_drug = alert.drug in {n for p in content["products"] for n in p["substances"]}
        with_event = alert.event in {reaction["term"] for reaction in content["reactions"]}
        total += 1
        n_drug += with_drug
        n_event += with_event
        of_stratum = strata[content["patient"]["sex"]]
        of_stratum[0] += 1
        of_stratum[1] += with_drug
        of_stratum[2] += with_event
        if with_drug and with_event:
            n_observed += 1
            serious += bool(content["seriousness"])
            both.append((content["first_received"], case_id))
    counts = alert.counts
    assert (counts.n_observed, counts.n_drug, counts.n_event, counts.n_total) == (
        n_observed,
        n_drug,
        n_event,
        total,
    ), alert.sentence
    assert alert.n_serious == serious
    assert list(alert.case_ids) == sorted(case_id for _, case_id in both)
    dates = sorted(day for day, _ in both)
    assert str(alert.first_received) == (dates[0] if dates else "None")
    assert str(alert.last_received) == (dates[-1] if dates else "None")
    if total:
        assert alert.statistics.expected == float(n_drug) * n_event / total
        by_name = (strata[name] for name in sorted(strata))
        assert alert.statistics.expected_stratified == sum(float(d) * e / n for n, d, e in by_name)


def _days(alert: Alert) -> tuple[date, date]:
    """Work out the days of a window from its label."""
    label = alert.window.label
    if label == "cumulative":
        return date.min, date.max
    if label.startswith("sliding-"):
        days = int(label.removeprefix("sliding-").removesuffix("d"))
        return alert.evaluated_on - timedelta(days=days - 1), alert.evaluated_on
    year, month = map(int, label.split("-"))
    after = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, 1), after - timedelta(days=1)
