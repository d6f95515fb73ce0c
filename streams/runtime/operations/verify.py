"""Everything that is held and published, compared with a plain recount of the reports.

The recount shares with the stream only how a report is read and which of two versions holds. It
knows no batch, no store and no delta: it takes the versions of a case together and keeps what
holds, once for each offset at which something is to be compared.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import product
from typing import Any

import msgspec
import polars as pl

from schemas.alert import Alert, Window, WindowKind
from schemas.delta import CASE_CHANGES, Delta
from schemas.errors import InputError, StateError
from streams.core.cases.link_decisions import is_linked_away
from streams.core.cases.transitions import CaseVersion, joined
from streams.core.cases.versions import removal_of
from streams.runtime.broker.clients import TopicPartition, make_consumer
from streams.runtime.broker.errors import PositionOutOfRange
from streams.runtime.broker.topic_reader import end_offsets, read_in_steps, read_to_end, requiring
from streams.runtime.broker.topics import topic_name
from streams.runtime.embedded.case_stage import read_batch
from streams.runtime.operations.rebuild import local_partitions, rejected_offsets
from streams.runtime.settings import Settings
from streams.runtime.state.case_store import CASE_PREFIX, RocksStore
from streams.runtime.state.changelog import decode_pairs, decode_record
from streams.runtime.wire.alerts import decode_alert
from streams.runtime.wire.deltas import decode_delta
from streams.runtime.workers.changelog_recovery import newest_bases
from streams.runtime.workers.partition_recovery import database

__all__ = ["Mismatch", "verify"]

_EPOCH = date(1970, 1, 1)
_UNIT = "\x1f"
_LISTS = ("drugs", "events", "courses", "onsets")  # in one text, as cases are held
_JOINED = {"day": pl.Int32(), **dict.fromkeys(_LISTS, pl.String())}
_KEY = [name for name in CASE_CHANGES if name != "n"]
_NO_REASON = pl.lit(None, dtype=pl.String)  # of a case that counts


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One comparison, and what differed.

    Attributes
    ----------
    what
        What was compared with the recount, and up to where.
    compared
        How many cases or alerts.
    differences
        One line each, with the case or the alert, never with what a report says.
    """

    what: str
    compared: int
    differences: tuple[str, ...]


def verify(settings: Settings, *, alerts: int) -> Iterator[Mismatch]:
    """Compare databases, changelogs, deltas and the latest alerts with a recount of the topics.

    The topics may be trimmed meanwhile. Deltas that are gone are differences, signals are compared
    as far as they are there, a changelog is read again from its newest base; reports must be whole.

    Parameters
    ----------
    alerts
        How many signals to compare at most, those evaluated last.

    Raises
    ------
    StateError
        If the topics no longer hold every report, or lose some while they are read.
    """
    topic = topic_name(settings, "reports")
    deltas: dict[int, list[Delta]] = {}
    for record in read_to_end(settings, topic_name(settings, "deltas")):
        delta = decode_delta(record.value)
        deltas.setdefault(delta.partition, []).append(delta)
    chosen = _latest_alerts(settings, alerts)
    sums = {signal: Counter[str]() for signal in chosen}
    consumer = make_consumer(settings, auto_offset_reset="none")
    with closing(consumer):
        ends = end_offsets(consumer, topic)
        local = [partition for partition in local_partitions(settings) if partition in ends]
        for partition in sorted(ends):
            with requiring(partial(_require_all, consumer, TopicPartition(topic, partition))):
                recount = _Recount(settings, topic, partition)
            if partition in local:
                yield _database(settings, recount)
            if (finding := _changelog(settings, consumer, recount)) is not None:
                yield finding
            yield _deltas(deltas.get(partition, []), recount)
            for end, together in _by_offset(chosen, partition).items():
                _add_counts(sums, together, recount.counted(end))
    yield _alerts(chosen, sums)


def _require_all(consumer: Any, at: TopicPartition) -> None:
    if first := consumer.beginning_offsets([at])[at]:
        msg = (
            f"verify: {at.topic}[{at.partition}] must hold every report from offset 0 on; got a "
            f"topic that begins at {first}: there is nothing to compare with"
        )
        raise StateError(msg)


class _Recount:
    """The versions of one partition, and what holds of them before an offset."""

    def __init__(self, settings: Settings, topic: str, partition: int) -> None:
        self.partition = partition
        self.name = f"{topic}[{partition}]"
        rejected = rejected_offsets(settings, self.name)
        self._versions: list[tuple[int, CaseVersion]] = []
        for record, _ in read_in_steps(settings, topic, start=0, partition=partition):
            if record is not None and record.offset not in rejected:
                message = (record.offset, record.value or b"", record.key or b"", record.headers)
                versions, _ = read_batch([message], source=self.name, horizon=date.max)
                self._versions += versions

    def state(self, end: int) -> dict[str, CaseVersion]:
        """Return what holds of every case before an offset."""
        held: dict[str, CaseVersion] = {}
        for offset, version in self._versions:
            if offset < end:
                other = held.get(version.case_id)
                held[version.case_id] = version if other is None else joined(version, other)
        return held

    def counted(self, end: int) -> list[CaseVersion]:
        """Return the versions that the counts include before an offset."""
        return [
            version
            for version in self.state(end).values()
            if version.version >= 0 and not version.excluded and not is_linked_away(version.links)
        ]


def _database(settings: Settings, recount: _Recount) -> Mismatch:
    with RocksStore(database(settings, recount.partition), None) as store:
        end = store.next_offset or 0
        held = {version.case_id: version for version in store.versions()}
    return _states(f"database of {recount.name} up to offset {end}", held, recount.state(end))


def _changelog(settings: Settings, consumer: Any, recount: _Recount) -> Mismatch | None:
    """Compare what a restore would give; `None` if the changelog gives nothing yet.

    A worker may delete the base while it is read; then it is the newest base that is compared.
    """
    at = TopicPartition(topic_name(settings, "cases"), recount.partition)
    consumer.assign([at])
    for last in newest_bases(consumer, at):
        with suppress(PositionOutOfRange):
            held, end = _restored(settings, at, last.progress.base)
            what = f"changelog {at.topic}[{at.partition}] up to offset {end}"
            return _states(what, held, recount.state(end))
    return None


def _restored(
    settings: Settings, at: TopicPartition, base: int
) -> tuple[dict[str, CaseVersion], int]:
    """Return the cases that a changelog adds up to from its base on, and up to which offset."""
    pairs: dict[bytes, bytes] = {}
    end = 0
    for record, _ in read_in_steps(settings, at.topic, start=base, partition=at.partition):
        if record is not None:
            one = decode_record(record)
            end = one.next_offset
            for key, value in decode_pairs(one.pairs):
                if value is None:
                    pairs.pop(key, None)
                else:
                    pairs[key] = value
    decode = msgspec.msgpack.Decoder(CaseVersion).decode
    versions = (decode(value) for key, value in pairs.items() if key.startswith(CASE_PREFIX))
    return {version.case_id: version for version in versions}, end


def _states(
    what: str, held: Mapping[str, CaseVersion], expected: Mapping[str, CaseVersion]
) -> Mismatch:
    differences = []
    for case_id in sorted(held.keys() | expected.keys()):
        one, other = held.get(case_id), expected.get(case_id)
        if one is None or other is None:
            differences.append(f"case {case_id}: " + ("missing" if one is None else "too many"))
        elif one != other:
            fields = (
                f for f in CaseVersion.__struct_fields__ if getattr(one, f) != getattr(other, f)
            )
            differences.append(f"case {case_id}: differs in {', '.join(fields)}")
    return Mismatch(what, len(expected), tuple(differences))


def _deltas(deltas: Sequence[Delta], recount: _Recount) -> Mismatch:
    """Compare the sum of all that was published with the cases that count, and those kept out."""
    differences = []
    end = 0
    for delta in deltas:
        if delta.first_offset > end:
            differences.append(f"offsets {end} to {delta.first_offset}: missing")
        elif delta.first_offset < end:
            differences.append(f"offsets {delta.first_offset} to {end}: published twice")
        end = max(end, delta.next_offset)
    counted = recount.counted(end)
    expected = pl.DataFrame(
        [
            [*(getattr(one, name) for name in _KEY), reason]
            for one, reason in (
                *((one, None) for one in counted),
                *filter(None, map(removal_of, recount.state(end).values())),
            )
        ],
        schema={
            **{name: _JOINED.get(name, CASE_CHANGES[name]) for name in _KEY},
            "reason": pl.String(),
        },
        orient="row",
    )
    lists = [pl.col(name).cast(pl.List(pl.String)).list.join(_UNIT) for name in _LISTS]
    published = [
        frame.with_columns(
            *(joined.fill_null("") for joined in lists),
            pl.col("day").cast(pl.Int32),
            pl.col("n").cast(pl.Int64),
        )
        for delta in deltas
        for frame in (delta.changes.with_columns(reason=_NO_REASON), delta.removed)
    ]
    left = (
        pl.concat([expected.with_columns(n=pl.lit(-1, dtype=pl.Int64)), *published], how="diagonal")
        .group_by(*_KEY, "reason")
        .agg(pl.col("n").sum())
        .filter(pl.col("n") != 0)
    )
    cases = left["case_id"].unique().sort().to_list()
    differences += [f"case {case_id}: its deltas do not add up to it" for case_id in cases]
    what = f"deltas of {recount.name} up to offset {end}"
    return Mismatch(what, len(counted), tuple(differences))


def _latest_alerts(settings: Settings, most: int) -> dict[str, Alert]:
    """Return the state of the signals that were evaluated last, by signal key."""
    latest: dict[str, Alert] = {}
    for record in read_to_end(settings, topic_name(settings, "signals")):
        alert = decode_alert(record.value)
        if isinstance(alert, Alert):  # a safety alert has no counts to compare
            latest[alert.signal_key] = alert

    def newest(alert: Alert) -> tuple[int, str]:
        return sum(at.next_offset for at in alert.as_of), alert.signal_key

    chosen = sorted(latest.values(), key=newest, reverse=True)[:most]
    topic = topic_name(settings, "reports")
    for alert in chosen:
        if any(at.topic != topic for at in alert.as_of):
            msg = f"verify: alert {alert.alert_id} must be of {topic}; got another topic"
            raise InputError(msg)
    return {alert.signal_key: alert for alert in chosen}


def _by_offset(alerts: Mapping[str, Alert], partition: int) -> dict[int, list[Alert]]:
    """Group alerts by how far they had counted a partition."""
    groups: dict[int, list[Alert]] = {}
    for alert in alerts.values():
        ends = {at.partition: at.next_offset for at in alert.as_of}
        groups.setdefault(ends.get(partition, 0), []).append(alert)
    return groups


def _add_counts(
    sums: Mapping[str, Counter[str]], alerts: Iterable[Alert], counted: Sequence[CaseVersion]
) -> None:
    """Add the cases of a partition to the counts of alerts."""
    windows: dict[tuple[float, float], list[Alert]] = {}
    for alert in alerts:
        windows.setdefault(_days(alert.window), []).append(alert)
    for (first, last), together in windows.items():
        named = {alert.drug for alert in together}, {alert.event for alert in together}
        drugs, events, pairs = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
        total = 0
        for one in counted:
            if first <= one.day <= last:
                total += 1
                of_drugs = named[0].intersection(one.drugs.split(_UNIT))
                of_events = named[1].intersection(one.events.split(_UNIT))
                drugs.update(of_drugs)
                events.update(of_events)
                pairs.update(product(of_drugs, of_events))
        for alert in together:
            sums[alert.signal_key].update(
                n_observed=pairs[alert.drug, alert.event],
                n_drug=drugs[alert.drug],
                n_event=events[alert.event],
                n_total=total,
            )


def _days(window: Window) -> tuple[float, float]:
    if window.kind is WindowKind.CUMULATIVE:
        return -float("inf"), float("inf")
    first = -float("inf") if window.first_day is None else (window.first_day - _EPOCH).days
    return first, (window.last_day - _EPOCH).days


def _alerts(alerts: Mapping[str, Alert], sums: Mapping[str, Counter[str]]) -> Mismatch:
    differences = []
    for signal, alert in alerts.items():
        published = alert.counts.model_dump()
        recounted = {name: sums[signal][name] for name in published}
        if published != recounted:
            differences.append(f"alert {alert.alert_id}: says {published}, recounted {recounted}")
    return Mismatch("latest alerts", len(alerts), tuple(differences))
