"""Recomputes an alert's case evidence, such as sources and bursts, from the cases alone.

Shares with the stream the thresholds of a burst, the domain's vocabulary and the estimators, and no
code that counts.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from math import isfinite
from statistics import median
from typing import Any

import polars as pl

from schemas.alert import Alert, Counts
from schemas.domain import domain_vocabulary
from schemas.scrutiny import Burst, Restricted
from schemas.tables import RestrictedStatistics
from streams.core.alerts.case_sources import burst_rule
from streams.core.alerts.case_summaries import MOST_CASE_IDS
from streams.core.cases.strata import PAEDIATRIC, UNKNOWN
from streams.core.signals.signal_key import names_of_key

__all__ = ["EVIDENCE", "OF_PAIR", "Asked", "evidence_values", "facts", "named", "naming"]

_UNIT = "\x1f"
_EPOCH = date(1970, 1, 1)

OF_PAIR = (
    *("n_serious", "n_fatal", "n_paediatric", "regions"),
    *("first_received", "last_received", "case_ids"),
)
"""Fields of every alert on the cases of its pair, apart from counts and statistics."""

EVIDENCE = (
    *("n_by_professional", "n_sources", "countries", "completeness", "n_suspected_duplicates"),
    *("dictionary_versions", "burst", "indication_confounding", "restricted"),
)
"""Compared fields; the rules in `burst` and `restricted` only if they are those of the alert."""

Asked = Callable[[Mapping[str, int]], tuple[Mapping[str, Any], frozenset[str], frozenset[str]]]
"""Statistics of a 2x2 table, rules that fire on it, and rules that cannot be evaluated on it."""


def naming(column: str, name: str) -> pl.Expr:
    """Return whether joined names, each between unit separators, contain a name."""
    return pl.col(column).str.contains(_UNIT + name + _UNIT, literal=True)


def named(cases: pl.DataFrame, alert: Alert) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Flag the cases that name drug and event; return all cases, and those that name both."""
    drug, event = names_of_key(alert.signal_key)
    flagged = cases.with_columns(
        naming("drugs", drug).alias("with_drug"),
        naming("events", event).alias("with_event"),
    )
    return flagged, flagged.filter("with_drug", "with_event")


def facts(cases: pl.DataFrame, drug: str, event: str) -> tuple[dict[str, int], dict[str, Any]]:
    """Return the four counts of a pair, and the fields `OF_PAIR` of an alert on it."""
    with_drug = cases.filter(naming("drugs", drug))
    both = with_drug.filter(naming("events", event)).sort("day", "case_id")
    counts = {
        "n_observed": both.height,
        "n_drug": with_drug.height,
        "n_event": cases.filter(naming("events", event)).height,
        "n_total": cases.height,
    }
    days = both["day"].cast(pl.Int32).cast(pl.Date)
    strata = [stratum.split(_UNIT) for stratum in both["stratum"].cast(pl.String)]
    of_pair = {
        "n_serious": both["serious"].sum(),
        "n_fatal": both["fatal"].sum(),
        "n_paediatric": sum(age in PAEDIATRIC for age, *_ in strata),
        "regions": tuple(sorted({region for *_, region in strata} - {UNKNOWN})),
        "first_received": days.min(),
        "last_received": days.max(),
        "case_ids": tuple(sorted(both["case_id"].tail(MOST_CASE_IDS))),
    }
    return counts, of_pair


def evidence_values(
    alert: Alert, within: pl.DataFrame, both: pl.DataFrame, asked: Asked, *, rules_known: bool
) -> dict[str, object]:
    """Return the expected values of an alert by field, of the fields that it has.

    Parameters
    ----------
    within, both
        The cases of the window, and those of the pair among them, one row each: `case_id`, `day`,
        `origin`, `indications`, `completeness`, `suspected`, `with_drug`, `with_event`.
    asked
        Scores a table as that of the alert was scored.
    """
    if alert.n_sources is None:  # made before alerts had the field
        return {}
    origins = [tuple(text.split(_UNIT)) for text in both["origin"].to_list()]
    percents = both["completeness"].to_list()
    values: dict[str, object] = {
        "n_by_professional": sum("p" in marks for _, marks, *_ in origins),
        "n_sources": len({_source(origin) for origin in origins}),
        "countries": tuple(sorted({country for country, *_ in origins if country})),
        "completeness": float(median(percents)) if percents else None,
        "n_suspected_duplicates": sum(both["suspected"].to_list()),
    }
    if alert.dictionary_versions is not None:  # else made before alerts had the field
        dictionaries = {name for origin in origins for name in origin[3:]}
        values["dictionary_versions"] = tuple(sorted(dictionaries))
    _, event = names_of_key(alert.signal_key)
    shared = [_shared(event, text) for text in both["indications"].to_list()]
    stating = sum(text != "" for text in both["indications"].to_list())
    same = sum(map(bool, shared))
    confounded = same > 0 and same >= stating / 2
    values["indication_confounding"] = confounded
    on = set(alert.rules_fired)
    burst = _burst(origins, both["day"].to_list()) if on else None
    _add(values, "burst", alert.burst, burst and _burst_fields(alert, burst, asked), rules_known)
    restricted = None
    if on and confounded:
        groups = frozenset[str]().union(*shared)
        restricted = _restricted_fields(alert, within, groups, stating, asked)
    _add(values, "restricted", alert.restricted, restricted, rules_known)
    return values


def _add(
    values: dict[str, object],
    name: str,
    published: Burst | Restricted | None,
    fields: Mapping[str, object] | None,
    rules_known: bool,
) -> None:
    if published is None or fields is None:
        values[name] = fields
        return
    of_rules = ("rules_without", "rules_fired", "rules_not_asked", "supported")
    for field, value in fields.items():
        if rules_known or field not in of_rules:
            values[f"{name}.{field}"] = value


def _source(origin: tuple[str, ...]) -> tuple[str, bool]:
    """Return the name of a source, and whether it is a sender's."""
    _, marks, name, *_ = origin
    return name, "u" not in marks


def _burst(
    origins: Sequence[tuple[str, ...]], days: Sequence[int]
) -> tuple[tuple[str, bool], int, int, int] | None:
    """Return source, day, cases and cases by professionals of the largest group, if a burst."""
    groups = Counter((day, _source(origin)) for origin, day in zip(origins, days, strict=True))
    if not groups:
        return None
    (day, source), n = min(groups.items(), key=lambda group: (-group[1], group[0]))
    rule = burst_rule()
    if n < rule.fewest_cases or n < rule.share * len(days):
        return None
    by_professional = sum(
        "p" in origin[1] and (received, _source(origin)) == (day, source)
        for origin, received in zip(origins, days, strict=True)
    )
    return source, day, n, by_professional


def _burst_fields(
    alert: Alert, burst: tuple[tuple[str, bool], int, int, int], asked: Asked
) -> dict[str, object]:
    (source, sender_stated), day, n, by_professional = burst
    counts = {name: value - n for name, value in alert.counts.model_dump().items()}
    _, fires, unasked = asked(counts)
    on = frozenset(alert.rules_fired)
    return {
        "source": source,
        "sender_stated": sender_stated,
        "received": _EPOCH + timedelta(days=day),
        "n_cases": n,
        "n_by_professional": by_professional,
        "counts_without": Counts(**counts),
        "rules_without": tuple(sorted(on & fires)),
        "rules_not_asked": tuple(sorted(on & unasked)),
    }


def _restricted_fields(
    alert: Alert, within: pl.DataFrame, groups: frozenset[str], stating: int, asked: Asked
) -> dict[str, object]:
    belongs = {
        text: bool(_groups(text) & groups) for text in within["indications"].unique().to_list()
    }
    treated = within.filter([belongs[text] for text in within["indications"].to_list()])
    with_drug, with_event = treated["with_drug"], treated["with_event"]
    counts = {
        "n_observed": int((with_drug & with_event).sum()),
        "n_drug": int(with_drug.sum()),
        "n_event": int(with_event.sum()),
        "n_total": treated.height,
    }
    row, fires, unasked = asked(counts)
    on = frozenset(alert.rules_fired)
    return {
        "indication": ", ".join(sorted(groups)),
        "n_stating": stating,
        "counts": Counts(**counts),
        "statistics": RestrictedStatistics(
            **{name: _finite(row[name]) for name in RestrictedStatistics.model_fields}
        ),
        "rules_fired": tuple(sorted(on & fires)),
        "rules_not_asked": tuple(sorted(on & unasked)),
        "supported": bool(on & fires),
    }


def _groups(joined: str) -> set[str]:
    """Return the names of indications, and their groups in the vocabulary."""
    texts = [text for text in joined.split(_UNIT) if text]
    return {text.casefold() for text in texts} | _codes(texts)


def _shared(event: str, joined: str) -> set[str]:
    about = {event.casefold()} | _codes([event])
    if domain_vocabulary().family(event) == "malignancy":
        about.add("cancer")
    return about & _groups(joined)


def _codes(texts: Iterable[str]) -> set[str]:
    return {code for text in texts if (code := domain_vocabulary().indication(text))}


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
