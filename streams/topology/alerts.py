"""Rows that were decided to be published, made into alerts."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

import polars as pl

from detectors.rules import RuleSet
from schemas.alert import (
    Alert,
    AlertKind,
    Counts,
    InputOffset,
    Previous,
    RuleOutcome,
    Statistics,
    Window,
)

__all__ = ["MOST_CASE_IDS", "AlertBuilder", "signal_key"]

MOST_CASE_IDS = 1000
"""An alert names at most so many cases, the latest received; its counts are of all of them."""

_CODE_VERSION = version("tocsin")
_STATISTICS = tuple(Statistics.model_fields)
_KINDS = {kind.value: kind for kind in AlertKind}
_VERBS = {
    AlertKind.NEW: "is reported disproportionately often with",
    AlertKind.STRENGTHENED: "is reported even more disproportionately with",
    AlertKind.WEAKENED: "is reported less disproportionately than before with",
    AlertKind.CLEARED: "is no longer reported disproportionately with",
}


def signal_key(drug: str, event: str, window: str) -> str:
    """Name a signal for ever: drug, event and window label, percent-encoded, joined by `|`.

    >>> signal_key("A|B", "Sepsis", "cumulative")
    'A%7CB|Sepsis|cumulative'
    """
    return "|".join(map(_quoted, (drug, event, window)))


@lru_cache(maxsize=100_000)
def _quoted(part: str) -> str:
    return quote(part, safe=" ")


class AlertBuilder:
    """Makes alerts under one set of rules; what the rules say of themselves is made once."""

    def __init__(self, rules: RuleSet) -> None:
        self._names = [rule.name for rule in rules.rules]
        self._sentences = [rule.sentence for rule in rules.rules]
        self._hash = rules.rules_hash
        self._fired = lru_cache(self._fired_names)
        self._outcomes = lru_cache(self._rule_outcomes)

    def build(
        self,
        decided: pl.DataFrame,
        cases: pl.DataFrame,
        *,
        window: Window,
        evaluated_on: date,
        as_of: Sequence[InputOffset],
        prior_id: str | None = None,
        test_recomputed: bool | None = None,
    ) -> list[Alert]:
        """Make an alert of every decided row, sorted by drug and event.

        Parameters
        ----------
        decided
            What `streams.topology.lifecycle.decide` gives, with `drug`, `event`, the four counts
            and every field of `schemas.alert.Statistics`.
        cases
            What `streams.topology.caselog.CaseLog.cases_of` gives for the same keys and window.
        """
        of_pair = cases.group_by("key").agg(
            pl.col("serious").sum().alias("n_serious"),
            pl.col("fatal").sum().alias("n_fatal"),
            pl.col("day").first().cast(pl.Date).alias("first_received"),
            pl.col("day").last().cast(pl.Date).alias("last_received"),
            pl.col("case_id").tail(MOST_CASE_IDS).sort().alias("case_ids"),
        )
        floats = [name for name, dtype in decided.schema.items() if dtype == pl.Float64]
        rows = (
            decided.join(of_pair, on="key", how="left")
            .with_columns(
                *(pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in floats),
                pl.col("n_serious", "n_fatal").fill_null(0),
                pl.col("was_evaluated_on").cast(pl.Date),
            )
            .sort("drug", "event")
        )
        common = {
            "window": window,
            "evaluated_on": evaluated_on,
            "as_of": tuple(as_of),
            "rules_hash": self._hash,
            "prior_id": prior_id,
            "test_recomputed": test_recomputed,
            "code_version": _CODE_VERSION,
        }
        return [self._alert(row, common) for row in rows.iter_rows(named=True)]

    def _alert(self, row: Mapping[str, Any], common: Mapping[str, Any]) -> Alert:
        drug, event, revision = row["drug"], row["event"], row["revision"]
        kind = _KINDS[row["kind"]]
        key = signal_key(drug, event, common["window"].label)
        fired = self._fired(row["fired"])
        statistics = Statistics(**{name: row[name] for name in _STATISTICS})
        return Alert(
            alert_id=_alert_id(key, self._hash, revision),
            signal_key=key,
            revision=revision,
            kind=kind,
            reason=row["reason"],
            sentence=_sentence(kind, row, statistics, fired),
            drug=drug,
            event=event,
            counts=Counts(
                n_observed=row["n_observed"],
                n_drug=row["n_drug"],
                n_event=row["n_event"],
                n_total=row["n_total"],
            ),
            statistics=statistics,
            rules=self._outcomes(row["fired"]),
            rules_fired=fired,
            previous=self._previous(row),
            n_serious=row["n_serious"],
            n_fatal=row["n_fatal"],
            first_received=row["first_received"],
            last_received=row["last_received"],
            case_ids=tuple(row["case_ids"] or ()),
            **common,
        )

    def _fired_names(self, mask: int) -> tuple[str, ...]:
        return tuple(sorted(name for bit, name in enumerate(self._names) if mask >> bit & 1))

    def _rule_outcomes(self, mask: int) -> tuple[RuleOutcome, ...]:
        return tuple(
            RuleOutcome(name=name, sentence=sentence, fired=bool(mask >> bit & 1))
            for bit, (name, sentence) in enumerate(zip(self._names, self._sentences, strict=True))
        )

    def _previous(self, row: Mapping[str, Any]) -> Previous | None:
        if row["was_revision"] is None:
            return None
        return Previous(
            revision=row["was_revision"],
            kind=_KINDS[row["was_kind"]],
            evaluated_on=row["was_evaluated_on"],
            n_observed=row["was_n_observed"],
            ror_lower=row["was_ror_lower"],
            ic_lower=row["was_ic_lower"],
            rules_fired=self._fired(row["was_fired"]),
        )


def _alert_id(key: str, rules_hash: str, revision: int) -> str:
    return hashlib.sha256(f"{key}\n{rules_hash}\n{revision}".encode()).hexdigest()[:32]


def _sentence(
    kind: AlertKind, row: Mapping[str, Any], statistics: Statistics, fired: Iterable[str]
) -> str:
    n = row["n_observed"]
    expected = statistics.expected
    counts = f"{n} {'case' if n == 1 else 'cases'}"
    if expected is not None:
        counts += f", {expected:.3g} expected if they were independent"
    parts = [f"{row['event']} {_VERBS[kind]} {row['drug']}: {counts}"]
    if statistics.ror is not None:
        upper = "unbounded" if statistics.ror_upper is None else f"{statistics.ror_upper:.3g}"
        parts.append(f"ROR {statistics.ror:.3g} [{statistics.ror_lower:.3g}, {upper}]")
    if statistics.ic is not None:
        parts.append(
            f"IC {statistics.ic:.2f} [{statistics.ic_lower:.2f}, {statistics.ic_upper:.2f}]"
        )
    names = ", ".join(fired)
    return "; ".join(parts) + (f". Rules that fire: {names}." if names else ". No rule fires.")
