"""Recount of single alerts: every field from the messages before it, by dictionaries and sets.

The oracle of `tocsin recount`, of replays and of the broker's alerts. It shares nothing with them
but the schema. Whole histories are recounted in `tests.support.law.recount`, source files in
`tests.support.source_file_counts`.
"""

import json
import random
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import numpy as np

from detectors.gamma_mixture import GammaMixture
from schemas.alert import Alert
from schemas.link import CaseLink
from schemas.report import Patient, Reporter
from schemas.vocabulary import LinkBasis, LinkState, Qualification, Seriousness, Sex
from tests.broker.support.processes import stream

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
        serious = of_case.choice(
            ((), (), (Seriousness.HOSPITALISATION,), (Seriousness.LIFE_THREATENING,))
        )
        first, *rest = one.reactions
        onset = one.first_received - timedelta(days=of_case.choice((1, 1, 3, 3, 9, 90, 91)))
        dated = first.model_copy(
            update={
                "onset_days": of_case.choice((None, None, 3)),
                "onset": of_case.choice((None, onset)),
                "dictionary": "MedDRA" if of_case.random() < 0.8 else None,
                "dictionary_version": of_case.choice((None, "26.1", "27.0")),
            }
        )
        course = {
            "first_given": of_case.choice((None, one.first_received - timedelta(days=7))),
            "lot": of_case.choice((None, "not known", "A1")),
            "dechallenge": of_case.choice((None, True, False)),
            "rechallenge": of_case.choice((None, None, True, False)),
        }
        given_for = of_case.choice((None, None, first.term, first.term.upper(), "event 3"))
        report = one.model_copy(
            update={
                "patient": Patient(sex=sex, age_years=of_case.choice((None, 1.5, 40.0, 65.0))),
                "seriousness": serious,
                "sender": of_case.choice((None, "A PHARMA", "B PHARMA")),
                "occurrence_country": of_case.choice(("FR", "DE")),  # one region: one stratum
                "reporter": Reporter(qualification=of_case.choice(list(Qualification))),
                "reactions": (dated, *rest),
                "products": tuple(
                    product.model_copy(update={"indication": given_for, **course})
                    for product in one.products
                ),
            }
        )
        key = one.case_id.encode()
        varied.append((key, report.model_dump_json().encode()))
        if chance.random() < 0.15:
            basis = chance.choice((LinkBasis.MANUAL, LinkBasis.WORLDWIDE_ID, LinkBasis.PROBABLE))
            link = CaseLink(
                case_id=one.case_id,
                master_case_id="C0" if one.case_id != "C0" else "C1",
                state=chance.choice((LinkState.APPLIED, LinkState.APPLIED, *LinkState)),
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
    stated: dict[str, tuple[int, Mapping[str, Any]]] = {}  # but for nullifications
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
        for table in (latest, stated) if content["revision"] is None else (latest,):
            if case_id not in table or version > table[case_id][0]:
                table[case_id] = (version, content)
    first, last = _days(alert)
    n_observed = n_drug = n_event = 0
    both: list[tuple[str, str]] = []
    reported: list[Mapping[str, Any]] = []
    doubted = 0
    treated = [0, 0, 0, 0]
    serious = 0
    out = Counter[str]()
    strata: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    total = 0
    for case_id, (_, content) in latest.items():
        day = date.fromisoformat(content["first_received"])
        states = {decider: state for decider, (_, state) in decided[case_id].items()}
        person = states.get("person", "suspected")
        away = person == "applied" or (person == "suspected" and "applied" in states.values())
        if (content["revision"] is not None or away) and case_id in stated:
            _, was = stated[case_id]
            if (
                alert.drug in {n for p in was["products"] for n in p["substances"]}
                and alert.event in {reaction["term"] for reaction in was["reactions"]}
                and first <= date.fromisoformat(was["first_received"]) <= last
            ):
                out["duplicate" if content["revision"] is None else "nullified"] += 1
        if away:
            continue
        if content["revision"] is not None or not first <= day <= last:
            continue
        with_drug = alert.drug in {n for p in content["products"] for n in p["substances"]}
        with_event = alert.event in {reaction["term"] for reaction in content["reactions"]}
        total += 1
        n_drug += with_drug
        n_event += with_event
        of_stratum = strata[f"{_age(content)} {content['patient']['sex']}".removeprefix("age_")]
        of_stratum[0] += 1
        of_stratum[1] += with_drug
        of_stratum[2] += with_event
        if with_drug and with_event:
            n_observed += 1
            serious += bool(content["seriousness"])
            both.append((content["first_received"], case_id))
            reported.append(content)
            doubted += person == "suspected" and "suspected" in states.values()
        if alert.event.lower() in {(p["indication"] or "").lower() for p in content["products"]}:
            cells = (with_drug and with_event, with_drug, with_event, True)
            treated = [n + cell for n, cell in zip(treated, cells, strict=True)]
    counts = alert.counts
    assert (counts.n_observed, counts.n_drug, counts.n_event, counts.n_total) == (
        n_observed,
        n_drug,
        n_event,
        total,
    ), alert.sentence
    assert alert.n_serious == serious
    assert list(alert.case_ids) == sorted(case_id for _, case_id in both)
    assert alert.n_suspected_duplicates == doubted
    assert alert.n_removed_nullified == out["nullified"]
    assert alert.n_removed_duplicates == out["duplicate"]
    _require_reported(alert, reported)
    _require_clinical(alert, reported)
    _require_restricted(alert, reported, treated)
    dates = sorted(day for day, _ in both)
    assert str(alert.first_received) == (dates[0] if dates else "None")
    assert str(alert.last_received) == (dates[-1] if dates else "None")
    if total:
        assert alert.statistics.expected == float(n_drug) * n_event / total
        expected = 0.0
        for _, (n, d, e) in sorted(strata.items()):
            expected += float(d) * e / n  # `sum` adds otherwise from Python 3.12 on
        assert alert.statistics.expected_stratified == expected


def _require_reported(alert: Alert, cases: list[Mapping[str, Any]]) -> None:
    professionals = ("physician", "pharmacist", "other_health_professional")
    assert alert.n_by_professional == sum(
        case["reporter"]["qualification"] in professionals for case in cases
    )
    sources = [
        ("sender", case["sender"]) if case["sender"] else ("system", case["source"])
        for case in cases
    ]
    assert alert.n_sources == len(set(sources))
    stated = [
        f"{reaction['dictionary']} {reaction['dictionary_version'] or ''}".strip()
        for case in cases
        for reaction in case["reactions"]
        if reaction["dictionary"]
    ]
    assert alert.dictionary_versions == tuple(sorted(set(stated)))
    countries = {case["occurrence_country"] for case in cases} - {None}
    assert alert.countries == tuple(sorted(countries))
    assert alert.completeness == (statistics.median(map(_percent, cases)) if cases else None)
    days = Counter(
        (source, case["first_received"]) for source, case in zip(sources, cases, strict=True)
    )
    most = max(days.values(), default=0)
    if most >= 10 and 2 * most >= len(cases) and alert.rules_fired:
        assert alert.burst is not None
        assert alert.burst.n_cases == most
        kind = "sender" if alert.burst.sender_stated else "system"
        assert days[(kind, alert.burst.source), str(alert.burst.received)] == most
        said = "one source on one day" if kind == "sender" else "does not say who sent them"
        assert said in alert.sentence
        assert alert.burst.counts_without.n_observed == len(cases) - most
    else:
        assert alert.burst is None


def _age(case: Mapping[str, Any]) -> str:
    """Name the group of the few ages there are."""
    years = case["patient"]["age_years"]
    return {None: "age_unknown", 1.5: "infant", 40.0: "adult", 65.0: "elderly"}[years]


def _require_clinical(alert: Alert, cases: list[Mapping[str, Any]]) -> None:
    assert alert.n_life_threatening == sum("life_threatening" in c["seriousness"] for c in cases)
    assert alert.patients is not None
    groups = Counter(_age(case) for case in cases)
    groups.update(
        "sex_unknown" if case["patient"]["sex"] == "unknown" else case["patient"]["sex"]
        for case in cases
    )
    assert {name: n for name, n in alert.patients.model_dump().items() if n} == groups
    given = [next(p for p in case["products"] if alert.drug in p["substances"]) for case in cases]
    assert alert.n_missing_lot == sum(product["lot"] != "A1" for product in given)
    for what in ("dechallenge", "rechallenge"):
        answers = [product[what] for product in given if product[what] is not None]
        assert getattr(alert, f"n_stating_{what}") == len(answers)
        assert getattr(alert, f"n_positive_{what}") == answers.count(True)
    days = []
    waits = []
    for case, product in zip(cases, given, strict=True):
        onsets = [event["onset"] for event in case["reactions"] if event["term"] == alert.event]
        if not any(onsets):
            continue
        onset = date.fromisoformat(min(filter(None, onsets)))
        waits.append((date.fromisoformat(case["first_received"]) - onset).days)
        if product["first_given"]:
            days.append((onset - date.fromisoformat(product["first_given"])).days)
    assert alert.n_stating_onset == len(waits)
    assert alert.n_late == sum(wait >= 91 for wait in waits)
    if not days:
        assert alert.time_to_onset is None
        return
    after = [day for day in days if day >= 0]
    assert alert.time_to_onset is not None
    found = list(alert.time_to_onset.model_dump().values())
    assert found[:2] == [len(after), len(days) - len(after)]
    assert found[2:] == [np.quantile(after, part) if after else None for part in (0.25, 0.5, 0.75)]


def _percent(case: Mapping[str, Any]) -> int:
    """Take off what the case does not state: outcome, dose and type never are."""
    left = Fraction(7, 10) * Fraction(9, 10) ** 2
    timed = (case["reactions"][0]["onset"] or "") >= (case["products"][0]["first_given"] or "9")
    if not (timed or case["reactions"][0]["onset_days"] is not None):
        left /= 2
    thirds = (
        case["patient"]["sex"] == "unknown",
        case["patient"]["age_years"] is None,
        not case["products"][0]["indication"],
    )
    left *= Fraction(7, 10) ** sum(thirds)
    tenths = (
        case["occurrence_country"] is None,
        case["reporter"]["qualification"] == "consumer",
    )
    return round(100 * left * Fraction(9, 10) ** sum(tenths))


def _require_restricted(alert: Alert, cases: list[Mapping[str, Any]], treated: list[int]) -> None:
    stated = [name for case in cases if (name := case["products"][0]["indication"])]
    same = sum(name.lower() == alert.event.lower() for name in stated)
    assert alert.indication_confounding is (same > 0 and 2 * same >= len(stated))
    if not (alert.indication_confounding and alert.rules_fired):
        assert alert.restricted is None
        return
    assert alert.restricted is not None
    assert alert.restricted.n_stating == len(stated)
    assert alert.restricted.indication == alert.event.lower()
    assert list(alert.restricted.counts.model_dump().values()) == treated


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
