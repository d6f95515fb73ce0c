"""Verify stored state and published records against an independent recount of the reports.

The recount shares with the stream only the reading of a report and the order of versions. It has no
batches, stores or deltas: for each offset to compare it merges the versions of a case and keeps the
current one.
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
from streams.core.cases.versions import as_released, release_key, removal_of
from streams.core.signals.signal_key import names_of_key
from streams.runtime.broker.clients import TopicPartition, make_consumer
from streams.runtime.broker.errors import PositionOutOfRange
from streams.runtime.broker.partitioner import is_placed
from streams.runtime.broker.topic_reader import end_offsets, read_in_steps, read_to_end, requiring
from streams.runtime.broker.topics import topic_name
from streams.runtime.embedded.case_stage import read_batch
from streams.runtime.operations.rebuild import local_partitions, rejected_offsets
from streams.runtime.settings import Settings
from streams.runtime.state.case_store import CASE_PREFIX, RocksStore
from streams.runtime.state.changelog import decode_pairs, decode_record
from streams.runtime.wire.alerts import decode_alert
from streams.runtime.wire.deltas import decode_delta
from streams.runtime.wire.rerouting import origin_of
from streams.runtime.workers.changelog_recovery import newest_bases
from streams.runtime.workers.partition_recovery import database

__all__ = ["Mismatch", "verify"]

_EPOCH = date(1970, 1, 1)
_UNIT = "\x1f"
# Joined to one string, as in stored cases.
_LISTS = ("drugs", "events", "courses", "onsets", "drug_spellings", "event_spellings")
_JOINED = {"day": pl.Int32(), **dict.fromkeys(_LISTS, pl.String())}
_KEY = [name for name in CASE_CHANGES if name != "n"]
_NO_REASON = pl.lit(None, dtype=pl.String)  # of a case that counts


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Result of one comparison with the recount.

    Attributes
    ----------
    what
        Name of the compared state, with its next offset.
    compared
        Number of cases or alerts.
    differences
        One line each; names the case or the alert, never the content of a report.
    """

    what: str
    compared: int
    differences: tuple[str, ...]


def verify(settings: Settings, *, alerts: int) -> Iterator[Mismatch]:
    """Compare databases, changelogs, deltas and the latest alerts with a recount of the topics.

    Each re-routed message must have exactly one copy, on the partition of its case.

    The topics may be trimmed meanwhile: missing deltas are differences, remaining signals are
    compared, a changelog is read again from its newest base. All reports must exist.

    Parameters
    ----------
    alerts
        Maximum number of signals to compare, the last evaluated first.

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
    rerouted: list[str] = []
    copies = Counter[str]()
    consumer = make_consumer(settings, auto_offset_reset="none")
    with closing(consumer):
        ends = end_offsets(consumer, topic)
        local = [partition for partition in local_partitions(settings) if partition in ends]
        for partition in sorted(ends):
            with requiring(partial(_require_all, consumer, TopicPartition(topic, partition))):
                recount = _Recount(settings, topic, partition, len(ends))
            if partition in local:
                yield _database(settings, recount)
            if (finding := _changelog(settings, consumer, recount)) is not None:
                yield finding
            published = deltas.get(partition, [])
            yield _deltas(published, recount)
            end = max((delta.next_offset for delta in published), default=0)
            rerouted += [f"{recount.name}@{each}" for each in recount.misplaced if each < end]
            copies += recount.copies
            for end, together in _by_offset(chosen, partition).items():
                _add_counts(sums, together, recount.counted(end))
    if rerouted:
        yield _rerouted(rerouted, copies)
    yield _alerts(chosen, sums)


def _require_all(consumer: Any, reports: TopicPartition) -> None:
    if first := consumer.beginning_offsets([reports])[reports]:
        msg = (
            f"verify: {reports.topic}[{reports.partition}] must hold every report from "
            f"offset 0 on; got a topic that begins at {first}: there is nothing to compare with"
        )
        raise StateError(msg)


class _Recount:
    """The versions of one partition, and its current cases before an offset.

    Attributes
    ----------
    misplaced
        Offsets of messages whose cases belong to other partitions, where their copies count.
    copies
        Number of copies from other partitions, by the coordinates of the original.
    """

    def __init__(self, settings: Settings, topic: str, partition: int, partitions: int) -> None:
        self.partition = partition
        self.name = f"{topic}[{partition}]"
        rejected = rejected_offsets(settings, self.name)
        self._versions: list[tuple[int, CaseVersion]] = []
        self.misplaced: list[int] = []
        self.copies: Counter[str] = Counter()
        # Settled: an open transaction of another partition would hide copies that are published.
        records = read_in_steps(settings, topic, start=0, partition=partition, settled=True)
        for record in (record for record, _ in records if record is not None):
            if (origin := origin_of(record.headers)) is not None:
                self.copies[origin.decode(errors="replace")] += 1
            if record.offset in rejected:
                continue
            message = (record.offset, record.value or b"", record.key, record.headers)
            versions, _ = read_batch([message], source=self.name, horizon=date.max)
            for offset, version in versions:
                if is_placed(version.case_id, partition, partitions):
                    self._versions.append((offset, version))
                else:
                    self.misplaced.append(offset)

    def state(self, end: int) -> dict[str, CaseVersion]:
        """Return the current version of every case before an offset."""
        current: dict[str, CaseVersion] = {}
        for offset, version in self._versions:
            if offset < end:
                other = current.get(version.case_id)
                current[version.case_id] = version if other is None else joined(version, other)
        for case_id, version in current.items():
            if version.version >= 0:
                current[case_id] = as_released(version, current.get(release_key(version.scope)))
        return current

    def counted(self, end: int) -> list[CaseVersion]:
        """Return the versions that the counts include before an offset."""
        return [
            version
            for version in self.state(end).values()
            if version.version >= 0
            and not (version.excluded or version.withdrawn or is_linked_away(version.links))
        ]


def _database(settings: Settings, recount: _Recount) -> Mismatch:
    with RocksStore(database(settings, recount.partition), None) as store:
        end = store.next_offset or 0
        cases = {version.case_id: version for version in store.versions()}
    return _states(f"database of {recount.name} up to offset {end}", cases, recount.state(end))


def _changelog(settings: Settings, consumer: Any, recount: _Recount) -> Mismatch | None:
    """Compare the cases that a restore would yield; `None` if the changelog has no base yet.

    If a worker deletes the base while it is read, the newest base is compared.
    """
    changelog = TopicPartition(topic_name(settings, "cases"), recount.partition)
    consumer.assign([changelog])
    for last in newest_bases(consumer, changelog):
        with suppress(PositionOutOfRange):
            cases, end = _restored(settings, changelog, last.progress.base)
            what = f"changelog {changelog.topic}[{changelog.partition}] up to offset {end}"
            return _states(what, cases, recount.state(end))
    return None


def _restored(
    settings: Settings, changelog: TopicPartition, base: int
) -> tuple[dict[str, CaseVersion], int]:
    """Return the cases of a changelog from its base on, and their next offset."""
    pairs: dict[bytes, bytes] = {}
    end = 0
    for record, _ in read_in_steps(
        settings, changelog.topic, start=base, partition=changelog.partition
    ):
        if record is not None:
            decoded = decode_record(record)
            end = decoded.next_offset
            for key, value in decode_pairs(decoded.pairs):
                if value is None:
                    pairs.pop(key, None)
                else:
                    pairs[key] = value
    decode = msgspec.msgpack.Decoder(CaseVersion).decode
    versions = (decode(value) for key, value in pairs.items() if key.startswith(CASE_PREFIX))
    return {version.case_id: version for version in versions}, end


def _states(
    what: str, found: Mapping[str, CaseVersion], expected: Mapping[str, CaseVersion]
) -> Mismatch:
    differences = []
    for case_id in sorted(found.keys() | expected.keys()):
        case, other = found.get(case_id), expected.get(case_id)
        if case is None or other is None:
            differences.append(f"case {case_id}: " + ("missing" if case is None else "too many"))
        elif case != other:
            fields = (
                f for f in CaseVersion.__struct_fields__ if getattr(case, f) != getattr(other, f)
            )
            differences.append(f"case {case_id}: differs in {', '.join(fields)}")
    return Mismatch(what, len(expected), tuple(differences))


def _deltas(deltas: Sequence[Delta], recount: _Recount) -> Mismatch:
    """Compare the sum of all published deltas with the counted cases and the removed ones."""
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
            [*(getattr(case, name) for name in _KEY), reason]
            for case, reason in (
                *((case, None) for case in counted),
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


def _rerouted(originals: Sequence[str], copies: Mapping[str, int]) -> Mismatch:
    """Compare the messages that were on other partitions than their cases with their copies."""
    found = {original: copies.get(original, 0) for original in originals}
    differences = (f"{at}: must have one copy; got {n}" for at, n in found.items() if n != 1)
    return Mismatch("re-routed reports", len(originals), tuple(differences))


def _latest_alerts(settings: Settings, most: int) -> dict[str, Alert]:
    """Return the state of the last evaluated signals, by signal key."""
    latest: dict[str, Alert] = {}
    for record in read_to_end(settings, topic_name(settings, "signals")):
        alert = decode_alert(record.value)
        if isinstance(alert, Alert):  # a safety alert has no counts to compare
            latest[alert.signal_key] = alert

    def newest(alert: Alert) -> tuple[int, str]:
        return sum(end.next_offset for end in alert.as_of), alert.signal_key

    chosen = sorted(latest.values(), key=newest, reverse=True)[:most]
    topic = topic_name(settings, "reports")
    for alert in chosen:
        if any(end.topic != topic for end in alert.as_of):
            msg = f"verify: alert {alert.alert_id} must be of {topic}; got another topic"
            raise InputError(msg)
    return {alert.signal_key: alert for alert in chosen}


def _by_offset(alerts: Mapping[str, Alert], partition: int) -> dict[int, list[Alert]]:
    """Group alerts by their next offset of a partition."""
    groups: dict[int, list[Alert]] = {}
    for alert in alerts.values():
        ends = {end.partition: end.next_offset for end in alert.as_of}
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
        names = {alert.signal_key: names_of_key(alert.signal_key) for alert in together}
        named = [set(of_alerts) for of_alerts in zip(*names.values(), strict=True)]
        drugs, events, pairs = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
        total = 0
        for case in counted:
            if first <= case.day <= last:
                total += 1
                of_drugs = named[0].intersection(case.drugs.split(_UNIT))
                of_events = named[1].intersection(case.events.split(_UNIT))
                drugs.update(of_drugs)
                events.update(of_events)
                pairs.update(product(of_drugs, of_events))
        for alert in together:
            drug, event = names[alert.signal_key]
            sums[alert.signal_key].update(
                n_observed=pairs[drug, event],
                n_drug=drugs[drug],
                n_event=events[event],
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
