"""The disclosure attack: what a reader infers from a tier's copies and answers, and is not to know.

The reader knows the rules that are shipped, gets every copy in order, and asks with filters. It is
given nothing but `Gained`; `recovered` scores its inferences against the history.
"""

import json
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from schemas.errors import InputError
from schemas.safety_alert import AlertCategory, SafetyAlert, SafetyAlertKind
from schemas.subscription import Filters, Tier
from streams.core.alerts.identity import alert_id
from streams.core.safety.revisions import alert_id_of
from streams.core.signals.realert_policy import load_policy
from streams.core.wording.catalogue import Language, catalogue
from streams.core.wording.names import country
from streams.delivery.alert_sources import AnyAlert
from tests.support.disclosure_histories import (
    COUNTRIES,
    DEALER,
    FACILITIES,
    LOTS,
    MAKERS,
    ONSET_YEAR,
    SUBJECTS,
    History,
)

__all__ = ["KINDS", "Copy", "Gained", "changing_fields", "recovered"]

Copy = dict[str, Any]
KINDS = ("counts", "deaths", "places", "onsets", "names", "filters", "silent", "revisions")
_CLUSTERS = {
    AlertCategory.LOT_CLUSTER: "lot",
    AlertCategory.MANUFACTURER_CLUSTER: "manufacturer",
    AlertCategory.DISTRIBUTOR_CLUSTER: "distributor",
}
_DEATHS = {"FATAL_CASE", "UNVERIFIED_FATAL"}
_ENDED = {SafetyAlertKind.CLOSED, SafetyAlertKind.RETRACTION}
_MASKED = 10  # cases: the last count that the first band holds
_MOST_REVISIONS = 40  # numbers that the reader tries
_OF_REVISION = {
    "alert_id", "revision", "kind", "evaluated_in", "headline", "sentence", "rules_hash",
    "code_version",
}  # fmt: skip


@dataclass(frozen=True)
class Gained:
    """What a reader of a tier has.

    Attributes
    ----------
    arrivals
        For each published alert the copies that arrived because of it, in order.
    answer
        Returns the copies of latest revisions that pass filters; InputError: refused.
    """

    arrivals: Sequence[Sequence[Copy]]
    answer: Callable[[Filters], Sequence[Copy]]

    def copies(self) -> Iterator[Copy]:
        """Yield every copy in the order of arrival."""
        for arrived in self.arrivals:
            yield from arrived


def recovered(
    tier: Tier, history: History, alerts: Sequence[AnyAlert], gained: Gained
) -> Counter[str]:
    """Return the number of values that a reader infers rightly and the tier withholds, by kind."""
    found = Counter[str]()
    found["onsets"] = sum(len(_onsets(copy)) for copy in gained.copies())
    found["names"] = sum(len(_names(tier, copy)) for copy in gained.copies())
    found["filters"] = _by_filters(tier, gained)
    if tier is Tier.PUBLIC:
        found["counts"] = _counts(alerts, gained)
        found["deaths"] = _deaths(history, gained)
        found["places"] = sum(len(_places(copy)) for copy in gained.copies())
        found["silent"] = _silent(gained)
        found["revisions"] = _revision_numbers(gained)
    return found


def changing_fields(copy: Copy) -> str:
    """Return the fields of a copy that are not of its revision alone, to compare revisions."""
    return json.dumps({name: copy[name] for name in copy if name not in _OF_REVISION})


def _counts(alerts: Sequence[AnyAlert], gained: Gained) -> int:
    """Count exact counts of clusters by arithmetic: the rule's number + strengthened - weakened.

    A count of the rule's number is no gain: who knows the rule guesses it without any revision.
    """
    claims: dict[str, int] = {}
    keys: dict[str, str] = {}
    ended: set[str] = set()
    right = 0
    for alert, arrived in zip(alerts, gained.arrivals, strict=True):
        if not isinstance(alert, SafetyAlert) or alert.category not in _CLUSTERS:
            continue
        least = _rule_number(alert.category, alert.families)
        for copy in arrived:
            keys[alert.signal_key] = key = copy["signal_key"]
            step = {"strengthened": 1, "weakened": -1, "update": 0}.get(copy["kind"])
            # A new cluster, or one that opens again after its end, has the rule's number.
            begins = step is None or key in ended
            claims[key] = least if begins else claims.get(key, least) + step
            (ended.add if copy["kind"] in _ENDED else ended.discard)(key)
        claim = claims.get(keys.get(alert.signal_key, ""), least)
        if alert.kind not in _ENDED and least < alert.n_cases <= _MASKED:
            right += claim == alert.n_cases
    return right


def _rule_number(category: AlertCategory, families: Sequence[str]) -> int:
    raw = tomllib.loads(files("streams.core.safety").joinpath("clusters.toml").read_text("utf-8"))
    numbers = [
        rule["n_cases"]
        for rule in raw["rules"]
        if rule["by"] == _CLUSTERS[category] and rule["event_family"] in families
    ]
    return int(min(numbers, default=2))


def _deaths(history: History, gained: Gained) -> int:
    """Count deaths of one patient of whom the reader knows the month, and a country or term."""
    fatal = [case for case in history.versions if case.fatal]
    n_fatal: dict[str, str] = {}
    pinned = set()
    for copy in gained.copies():
        terms, places = set(copy.get("terms", ())), set(copy.get("countries", ()))
        first = False
        if "event" in copy:
            # The first death of a pair is the revision that has the first band of deaths.
            before = n_fatal.get(copy["signal_key"], "0")
            n_fatal[copy["signal_key"]] = after = str(copy["n_fatal"])
            first, terms = before == "0" != after and "-10" in after, {copy["event"]}
            first = first and not after.startswith("0")
        if not first and copy.get("category") not in _DEATHS:
            continue
        month = copy.get("evaluated_in") or copy["evaluated_on"][:7]
        pinned |= {
            case.case_id
            for case in fatal
            if f"{case.sent_on:%Y-%m}" == month
            and (terms & set(case.terms) or case.country in places)
        }
    return len(pinned)


def _places(copy: Copy) -> set[str]:
    """Return the countries that a copy names, by code or in words."""
    words = catalogue(Language.ENGLISH)
    text = json.dumps(copy)
    return {code for code in COUNTRIES if f'"{code}"' in text or country(code, words) in text}


def _onsets(copy: Copy) -> set[str]:
    """Return the days of onset that a copy holds, in a field or a text."""
    return set(re.findall(rf"\b{ONSET_YEAR}-\d\d-\d\d\b", json.dumps(copy)))


def _names(tier: Tier, copy: Copy) -> set[str]:
    """Return the names of lots, makers, facilities, cases, persons and senders in a copy."""
    hidden = {*LOTS, *FACILITIES, *MAKERS, DEALER, "person-P3"}
    hidden |= set(SUBJECTS) if tier is Tier.PUBLIC else set()
    text = json.dumps(copy)
    return {name for name in hidden if name in text} | set(re.findall(r"\bZE-\d+\b", text))


def _by_filters(tier: Tier, gained: Gained) -> int:
    """Count pairs of a copy and a value that a filter tells, and the copy does not state."""
    latest = list({copy["signal_key"]: copy for copy in gained.copies()}.values())
    told = 0
    for name, values, stated in _questions(tier):
        for value in values:
            try:
                answers = {copy["alert_id"] for copy in gained.answer(_asking(name, value))}
                usual = {copy["alert_id"] for copy in gained.answer(_asking(name, "XX"))}
            except InputError:
                continue  # refused for whatever value
            told += sum(
                (copy["alert_id"] in answers) != (copy["alert_id"] in usual)
                for copy in latest
                if value not in stated(copy)
            )
    return told


_Stated = Callable[[Copy], Sequence[str]]


def _questions(tier: Tier) -> Iterator[tuple[str, Sequence[str], _Stated]]:
    """Yield filters, the values to ask for, and how a copy states a value."""
    units = [f"lot:{lot}" for lot in LOTS] + [f"facility:{name}" for name in FACILITIES]
    yield "products", units, lambda copy: [copy.get("drug", "")]
    yield "jurisdictions", COUNTRIES, lambda copy: copy.get("countries") or ()
    yield "kinds", ("strengthened", "weakened", "update"), lambda copy: [copy["kind"]]
    yield "levels", ("lot", "facility"), lambda copy: [copy.get("level", "")]
    if tier is Tier.PUBLIC:
        yield "rules", ("mhra", "ema"), lambda copy: ()
        yield "terms", ("Sepsis", "Bacteraemia"), lambda copy: (
            copy.get("event", ""), *copy.get("terms", ()),
        )  # fmt: skip


def _asking(name: str, value: str) -> Filters:
    return Filters.model_validate({"grades": (), name: (value,)})


def _silent(gained: Gained) -> int:
    """Count revisions that differ from the one before in nothing: their arrival tells a change."""
    last: dict[str, str] = {}
    silent = 0
    for copy in gained.copies():
        fields = changing_fields(copy)
        silent += last.get(copy["signal_key"]) == fields
        last[copy["signal_key"]] = fields
    return silent


def _revision_numbers(gained: Gained) -> int:
    """Count revisions whose number, stated or behind the id, is not that of copies so far."""
    arrived = defaultdict[str, int](int)
    policy = load_policy().policy_hash
    found = 0
    for copy in gained.copies():
        key = copy["signal_key"]
        arrived[key] += 1
        tried = range(1, _MOST_REVISIONS)
        rules = copy.get("rules_hash", "")
        behind = any(
            copy["alert_id"] in (alert_id(key, rules, policy, n), alert_id_of(key, n))
            for n in tried
        )
        found += behind or copy["revision"] != arrived[key]
    return found
