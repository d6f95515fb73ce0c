"""Recount alerts: find them, and read their reports, notices and priors again."""

import hashlib
import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import ValidationError

from detectors.gamma_mixture import GammaMixture
from detectors.rules import RuleSet
from schemas.alert import Alert
from schemas.errors import InputError, StateError
from schemas.prior import PriorRefit
from schemas.rejected import Rejected
from schemas.rules_change import RulesChange
from schemas.safety_alert import SafetyAlert
from streams.core.cases.transitions import CaseVersion, joined
from streams.core.duplicates.identifiers import CaseIdentifiers
from streams.core.duplicates.inline import InlineLinks
from streams.core.duplicates.known_cases import KnownCase
from streams.core.recount.alerts import Recount, version_frame
from streams.core.recount.safety import RecountedSafety, recount_safety
from streams.core.recount.source_ranges import SourceRange, require_sources
from streams.intake.bounded import ReadMeter, next_items
from streams.intake.files import read_source
from streams.intake.native import read_lines
from streams.intake.notices import decode_notice
from streams.runtime.broker.clients import TopicPartition, make_consumer
from streams.runtime.broker.errors import broker_errors
from streams.runtime.broker.partitioner import is_placed
from streams.runtime.broker.topic_reader import (
    OnPoll,
    close_consumer,
    end_offsets,
    read_alerts,
    read_to_end,
    requiring,
)
from streams.runtime.broker.topics import topic_name
from streams.runtime.embedded.case_stage import Incoming, read_batch
from streams.runtime.settings import Settings
from streams.runtime.wire.alerts import AnyAlert, decode_published

__all__ = [
    "choose",
    "prior_of",
    "read_alert_file",
    "recount_of_files",
    "recount_of_topics",
    "safety_recount_of_topics",
]

_CHUNK = 10_000
_POLL_MS = 500


def read_alert_file(path: Path) -> Iterator[AnyAlert]:
    """Yield the alerts of a file, of either kind, one JSON object a line; no changes of rules.

    Raises
    ------
    InputError
        If a line is not an alert; the message names the line.
    """
    for number, line in read_lines(path):
        try:
            published = decode_published(line)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, problem["loc"])) or "the line"
            msg = f"{path}: line {number} must be an alert; got {place}: {problem['msg']}"
            raise InputError(msg) from error
        if not isinstance(published, RulesChange):
            yield published


def choose(
    alerts: Iterable[AnyAlert], *, ids: Sequence[str], sample: int | None, seed: int
) -> list[AnyAlert]:
    """Return the alerts of these ids; else a random sample, independent of their order; else all.

    Raises
    ------
    InputError
        If an id is not found.
    """
    if ids:
        wanted = set(ids)
        found = {alert.alert_id: alert for alert in alerts if alert.alert_id in wanted}
        if missing := sorted(wanted - set(found)):
            msg = f"recount: every alert asked for must exist; got no alert {', '.join(missing)}"
            raise InputError(msg)
        return [found[alert_id] for alert_id in dict.fromkeys(ids)]
    if sample is None:
        return list({alert.alert_id: alert for alert in alerts}.values())
    least = heapq.nsmallest(sample, ((_draw(seed, a), a.alert_id, a) for a in alerts))
    return [alert for _, _, alert in least]


def prior_of(event: PriorRefit) -> GammaMixture:
    """Return the prior of a published refit."""
    return GammaMixture.model_validate_json(json.dumps(event.prior))


def recount_of_topics(
    settings: Settings,
    alerts: Iterable[Alert],
    rules: RuleSet,
    *,
    priors: Mapping[str, GammaMixture],
    on_poll: OnPoll = lambda records, part: None,
) -> Recount:
    """Read the reports behind alerts of a live run; refitted priors are read from their topic.

    Raises
    ------
    BrokerError
        If a topic cannot be read.
    InputError
        If an alert was made from another topic.
    StateError
        If reports behind an alert were deleted, or never were on the topic.
    """
    topic = topic_name(settings, "reports")
    ends: dict[int, int] = {}
    for alert in alerts:
        for end in alert.as_of:
            if end.topic != topic:
                msg = f"alert {alert.alert_id}: must be of {topic}; got {end.topic}, another prefix"
                raise InputError(msg)
            ends[end.partition] = max(ends.get(end.partition, 0), end.next_offset)
    refits = (
        PriorRefit.model_validate_json(record.value)
        for record in read_to_end(settings, topic_name(settings, "priors"))
    )
    return Recount(
        _versions_of_topic(settings, topic, ends, on_poll),
        rules,
        priors={**{event.prior_id: prior_of(event) for event in refits}, **priors},
        test_lag=1,
        until_evaluated=False,
    )


def safety_recount_of_topics(
    settings: Settings, alerts: Sequence[SafetyAlert]
) -> Iterator[RecountedSafety]:
    """Read the reports and notices behind safety alerts of a live run, and recompute the alerts.

    Raises
    ------
    BrokerError
        If a topic cannot be read.
    InputError
        If an alert was made from another topic, or the revision before it is not on the topic.
    StateError
        If reports or notices behind an alert were deleted, or never were on the topics.
    """
    if not alerts:
        return
    reports, notices = (topic_name(settings, name) for name in ("reports", "notices"))
    ends: dict[str, dict[int, int]] = {reports: {}, notices: {}}
    for alert in alerts:
        for end in alert.as_of:
            of_topic = ends.setdefault(end.topic, {})
            of_topic[end.partition] = max(of_topic.get(end.partition, 0), end.next_offset)
    wanted = {alert.signal_key for alert in alerts}
    published = read_alerts(settings, follow=False, stopped=lambda: False)
    before = {
        (alert.signal_key, alert.revision): alert
        for alert in published
        if isinstance(alert, SafetyAlert) and alert.signal_key in wanted
    }
    versions = [
        ((partition, offset), version)
        for partition, found in _readable_of_topic(settings, reports, ends[reports])
        for offset, version in found
    ]
    rejected = _rejected(settings)
    received = [
        ((partition, record.offset), decode_notice(record.value))
        for partition, records in _records_before(settings, notices, ends[notices])
        for record in records
        if (f"{notices}[{partition}]".encode(), b"%d" % record.offset) not in rejected
    ]
    yield from recount_safety(alerts, before, versions, received, topics=(reports, notices))


def recount_of_files(
    sources: Sequence[Path],
    source_format: str | None,
    alerts: Iterable[Alert],
    rules: RuleSet,
    *,
    priors: Mapping[str, GammaMixture],
    released_on: date | None = None,
    meter_of: Callable[[Path], ReadMeter] = lambda path: ReadMeter(),
    on_read: Callable[[int], None] = lambda number: None,
) -> Recount:
    """Read the files behind alerts of a replay, in the order of that replay.

    Parameters
    ----------
    meter_of
        Called at the beginning of each file; the meter states what is read of it.
    on_read
        Called with the number of messages after each part.

    Raises
    ------
    InputError
        If the files hold fewer messages than the alerts were made from.
    """
    ranges: list[SourceRange] = []
    recount = Recount(
        _versions_of_files(sources, source_format, released_on, ranges, meter_of, on_read),
        rules,
        priors=priors,
        test_lag=0,
        until_evaluated=True,
    )
    require_sources("recount", alerts, ranges)
    return recount


def _draw(seed: int, alert: AnyAlert) -> bytes:
    return hashlib.sha256(f"{seed}\n{alert.alert_id}".encode()).digest()


def _versions_of_files(
    sources: Sequence[Path],
    source_format: str | None,
    released_on: date | None,
    ranges: list[SourceRange],
    meter_of: Callable[[Path], ReadMeter],
    on_read: Callable[[int], None],
) -> Iterator[pl.DataFrame]:
    """Yield the versions of files in parts; append the offsets of each file to `ranges`."""
    offset = 0
    latest: dict[str, CaseVersion] = {}
    links = InlineLinks(
        lambda ids: {case_id: latest[case_id] for case_id in ids if case_id in latest}
    )
    for path in sources:
        first = offset
        meter = meter_of(path)
        numbered = read_source(path, source_format, released_on=released_on, meter=meter)
        items = (item for _, item in numbered)
        # Unreadable items have no offset in the log of a replay.
        messages = (item for item in items if not isinstance(item, Rejected))
        while chunk := list(next_items(messages, _CHUNK)):
            incoming = [Incoming(offset + i, item) for i, item in enumerate(chunk)]
            offset += len(chunk)
            identified: dict[int, CaseIdentifiers] = {}
            versions = _readable(incoming, path.name, identified)
            yield version_frame(0, list(_with_links(versions, identified, links, latest)))
            on_read(len(chunk))
        ranges.append(SourceRange(path.name, first, offset))


def _with_links(
    versions: Iterable[tuple[int, CaseVersion]],
    identified: Mapping[int, CaseIdentifiers],
    links: InlineLinks,
    latest: dict[str, CaseVersion],
) -> Iterator[tuple[int, CaseVersion]]:
    """Yield each version, followed by the links that it causes, at the same offset."""
    for offset, version in versions:
        known = [KnownCase(version, identified[offset])] if offset in identified else []
        for changed in (version, *links.links([version], known)):
            current = latest.get(changed.case_id)
            latest[changed.case_id] = changed if current is None else joined(changed, current)
            yield offset, changed


def _versions_of_topic(
    settings: Settings, topic: str, ends: Mapping[int, int], on_poll: OnPoll
) -> Iterator[pl.DataFrame]:
    for partition, versions in _readable_of_topic(settings, topic, ends, on_poll):
        yield version_frame(partition, versions)


def _rejected(settings: Settings) -> set[tuple[bytes, bytes]]:
    """Return source and position of every reject.

    They stay rejected, even if reading them now would succeed: a future date may be past by now.
    Deleted rejects are skipped, also if they are deleted meanwhile.
    """
    return {
        (headers["source"], headers["position"])
        for record in read_to_end(settings, topic_name(settings, "rejected"))
        if {"source", "position"} <= (headers := dict(record.headers)).keys()
    }


def _readable_of_topic(
    settings: Settings,
    topic: str,
    ends: Mapping[int, int],
    on_poll: OnPoll = lambda records, part: None,
) -> Iterator[tuple[int, list[tuple[int, CaseVersion]]]]:
    """Yield the versions of reports before the end offsets, in parts, each with its partition.

    Without those whose cases belong to other partitions: they count once their copies are there.
    """
    with closing(make_consumer(settings)) as consumer:
        partitions = len(end_offsets(consumer, topic))
    rejected = _rejected(settings)
    for partition, records in _records_before(settings, topic, ends, on_poll):
        source = f"{topic}[{partition}]"
        name = source.encode()
        incoming = [
            Incoming(record.offset, record.value or b"", record.key)
            for record in records
            if (name, str(record.offset).encode()) not in rejected
        ]
        yield (
            partition,
            [
                (offset, version)
                for offset, version in _readable(incoming, source)
                if is_placed(version.case_id, partition, partitions)
            ],
        )


def _readable(
    messages: Iterable[Incoming], source: str, identified: dict[int, CaseIdentifiers] | None = None
) -> list[tuple[int, CaseVersion]]:
    versions, _ = read_batch(messages, source=source, horizon=date.max, identified=identified)
    return versions


def _records_before(
    settings: Settings,
    topic: str,
    ends: Mapping[int, int],
    on_poll: OnPoll = lambda records, part: None,
) -> Iterator[tuple[int, list[Any]]]:
    """Yield the committed records of each partition from offset 0 up to its end offset, in parts.

    Raises
    ------
    StateError
        If some are missing, or are deleted while they are read.
    """
    consumer = make_consumer(settings, auto_offset_reset="none")
    try:
        with (
            requiring(partial(_require_all, consumer, topic, ends)),
            broker_errors(f"read {topic}"),
        ):
            partitions = [TopicPartition(topic, number) for number in ends]
            consumer.assign(partitions)
            for tp in partitions:
                consumer.seek(tp, 0)
            while waited := [tp for tp in partitions if consumer.position(tp) < ends[tp.partition]]:
                consumer.pause(*(tp for tp in partitions if tp not in waited))
                for tp, records in consumer.poll(timeout_ms=_POLL_MS).items():
                    end = ends[tp.partition]
                    yield tp.partition, [record for record in records if record.offset < end]
                    read = sum(min(consumer.position(tp), ends[tp.partition]) for tp in partitions)
                    on_poll(len(records), read / sum(ends.values()))
    finally:
        close_consumer(consumer)


def _require_all(consumer: Any, topic: str, ends: Mapping[int, int]) -> None:
    with broker_errors(f"read {topic}"):
        present = end_offsets(consumer, topic)
        partitions = [TopicPartition(topic, number) for number in ends if number in present]
        firsts = consumer.beginning_offsets(partitions)
    for number, end in sorted(ends.items()):
        first = firsts.get(TopicPartition(topic, number), 0)
        if first > 0 or present.get(number, 0) < end:
            msg = (
                f"{topic}[{number}]: must hold everything from offset 0 to {end}, which "
                f"alerts were made from; got {first} to {present.get(number, 0)}: reports "
                "were deleted, or the alert is of another broker. Restore the topic"
            )
            raise StateError(msg)
