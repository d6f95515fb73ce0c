"""Invariants while no work is pending: the topics, compared with the batch recount."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import product
from math import isclose

from schemas.alert import Alert
from schemas.delta import Delta
from schemas.safety_alert import SafetyAlert
from streams.runtime.settings import Settings
from streams.runtime.wire.alerts import decode_alert
from streams.runtime.wire.deltas import decode_delta
from tests.chaos.batch import Batch, Closed, Link, Table, mhra, mhra_stays, read
from tests.chaos.following import Following
from tests.chaos.partitioners import is_misplaced
from tests.chaos.safety import Safety
from tests.support.source_file_counts import Counts

__all__ = ["Checks"]


class Checks:
    """Everything published so far, and the errors found.

    Parameters
    ----------
    settings
        How to reach the brokers behind the proxy.
    """

    def __init__(self, settings: Settings) -> None:
        names = ("reports", "deltas", "rejected", "alerts", "signals")
        self._topics = {name: Following(settings, name) for name in names}
        self._reports = f"{settings.topic_prefix}reports"
        self._values: Counter[bytes] = Counter()
        self._broken: set[tuple[int, int]] = set()
        self._misplaced: set[str] = set()  # coordinates of reports on other partitions than theirs
        self._copies: Counter[str] = Counter()  # of them, by their coordinates
        self._rejected: Counter[tuple[int, int]] = Counter()
        self._ends: Counter[int] = Counter()  # of the deltas, by input partition
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._drugs: Counter[str] = Counter()
        self._events: Counter[str] = Counter()
        self._total = 0
        self._last: dict[str, Alert] = {}
        self._alert_ids: set[str] = set()
        self._states: dict[str, Alert] = {}
        self._now = Batch()
        self._then = Batch(self._now.messages)  # as of the alerts
        self.safety = Safety(settings)
        self.checked: Counter[str] = Counter()
        self.differences: list[str] = []

    def run(self, sent: Counter[bytes], counted: Counts | None) -> None:
        """Read new records and compare.

        Parameters
        ----------
        sent
            The values that the broker acknowledged.
        counted
            The counts that the detector wrote as it stopped.
        """
        self._read_reports(sent)
        self._read_deltas()
        self._read_rejected()
        self._now.advance((at, len(found)) for at, found in self._now.messages.items())
        tables = self._now.tables()
        # Deltas name events by normal form; the counts of the detector show them as sent.
        by_key = {(drug, event.lower()): table for (drug, event), table in tables.items()}
        self._compare("deltas", by_key, self._of_deltas())
        if counted is not None:
            self._compare("counts of the detector", tables, counted)
        self.checked["cases linked away"] = self._now.away
        for pair, table in tables.items():
            if (got := self._now.table(*pair)) != table:
                self._wrong(f"links: {pair} must be {table} by what the cases state; got {got}")
        self._read_alerts()
        self._read_signals(tables)
        self.differences += self.safety.compare(self._now.messages)
        self.checked["notices"] = self.safety.notices
        self.checked["safety alerts"] = self.safety.found

    def close(self) -> None:
        self.safety.close()
        for topic in self._topics.values():
            topic.close()

    def _wrong(self, what: str) -> None:
        self.differences.append(what)

    def _read_reports(self, sent: Counter[bytes]) -> None:
        for record in self._topics["reports"].rest():
            messages = self._now.messages.setdefault(record.partition, [])
            if record.offset < len(messages):
                self._wrong(f"reports[{record.partition}]: offset {record.offset} comes twice")
            # Between them stand the markers of the link stage's transactions, and what it aborted.
            messages += [None] * (record.offset - len(messages))
            message = read(record.value)
            is_case = message is not None and not isinstance(message, Closed)
            misplaced = is_case and is_misplaced(record.value, record.partition)
            messages.append(None if misplaced else message)
            if (origin := dict(record.headers).get("rerouted-from")) is None:
                self._values[record.value] += 1
            else:
                self._copies[origin.decode()] += 1
            if misplaced:
                self._misplaced.add(f"{self._reports}[{record.partition}]@{record.offset}")
            if message is None:
                self._broken.add((record.partition, record.offset))
            self.checked["links"] += isinstance(message, Link)
            self.checked["release markers"] += isinstance(message, Closed)
        for partition, end in self._topics["reports"].ends().items():
            messages = self._now.messages.setdefault(partition, [])
            messages += [None] * (end - len(messages))
        if lost := sent - self._values:
            self._wrong(f"reports: {lost.total()} acknowledged messages are not on the topic")
        places = self._misplaced | self._copies.keys()
        if wrong := [at for at in places if self._copies[at] != (at in self._misplaced)]:
            self._wrong(f"reports: {len(wrong)} misplaced ones have not one copy, as {wrong[0]}")
        self.checked["reports"] = self._values.total()
        self.checked["re-routed"] = self._copies.total()

    def _read_deltas(self) -> None:
        for record in self._topics["deltas"].rest():
            delta = decode_delta(record.value)
            self.checked["deltas"] += 1
            if delta.first_offset != self._ends[delta.partition]:
                self._wrong(
                    f"deltas of partition {delta.partition}: [{delta.first_offset}, "
                    f"{delta.next_offset}) at offset {record.offset} after "
                    f"{self._ends[delta.partition]}"
                )
            self._ends[delta.partition] = delta.next_offset
            self._add(delta)
        for partition, messages in self._now.messages.items():
            if self._ends[partition] != len(messages):
                self._wrong(
                    f"deltas of partition {partition}: end at {self._ends[partition]}, "
                    f"the reports at {len(messages)}"
                )

    def _add(self, delta: Delta) -> None:
        for row in delta.changes.select("drugs", "events", "n").iter_rows():
            drugs, events, sign = row
            for pair in product(drugs, events):
                self._pairs[pair] += sign
            for drug in drugs:
                self._drugs[drug] += sign
            for event in events:
                self._events[event] += sign
            self._total += sign

    def _of_deltas(self) -> Counts:
        return {
            (drug, event): (n, self._drugs[drug], self._events[event], self._total)
            for (drug, event), n in self._pairs.items()
            if n
        }

    def _compare(self, name: str, expected: Counts, found: Counts) -> None:
        self.checked["pairs"] = len(expected)
        for pair in expected.keys() | found.keys():
            if expected.get(pair) != found.get(pair):
                self._wrong(f"{name}: {pair} must be {expected.get(pair)}; got {found.get(pair)}")

    def _read_rejected(self) -> None:
        for record in self._topics["rejected"].rest():
            headers: Mapping[str, bytes] = dict(record.headers)
            source = headers["source"].decode()
            partition = int(source.removeprefix(f"{self._reports}[").removesuffix("]"))
            self._rejected[partition, int(headers["position"])] += 1
        self.checked["rejects"] = self._rejected.total()
        for place in self._broken | self._rejected.keys():
            if self._rejected[place] != (place in self._broken):
                self._wrong(
                    f"rejected: {place} must stand there {int(place in self._broken)} times; "
                    f"got {self._rejected[place]}"
                )

    def _read_alerts(self) -> None:
        fresh: list[Alert] = []
        for record in self._topics["alerts"].rest():
            alert = decode_alert(record.value)
            if isinstance(alert, SafetyAlert):
                self._require_once(alert.alert_id)
                continue
            before = self._last.get(alert.signal_key)
            if alert.revision != (before.revision if before else 0) + 1:
                self._wrong(f"alerts: {alert.signal_key} revision {alert.revision} out of turn")
            self._require_once(alert.alert_id)
            self._last[alert.signal_key] = alert
            fresh.append(alert)
        self.checked["alerts"] = len(self._alert_ids)
        by_input: dict[tuple[tuple[int, int], ...], list[Alert]] = defaultdict(list)
        for alert in fresh:
            by_input[tuple((at.partition, at.next_offset) for at in alert.as_of)].append(alert)
        # One detector after another: of two inputs, one holds the other.
        for offsets, alerts in sorted(by_input.items(), key=lambda one: sum(n for _, n in one[0])):
            if any(self._then.reached[partition] > end for partition, end in offsets):
                self._wrong(f"alerts: counted from {offsets}, but others from more and from less")
            self._then.advance(offsets)
            for alert in alerts:
                table = self._then.table(alert.drug, alert.event)
                counts = alert.counts
                got = (counts.n_observed, counts.n_drug, counts.n_event, counts.n_total)
                if got != table:
                    self._wrong(
                        f"alerts: {alert.signal_key} revision {alert.revision} must have {table}; "
                        f"got {got}"
                    )
                expected_cases = self._then.expected(alert.drug, alert.event)
                if not isclose(alert.statistics.expected_adjusted or 0.0, expected_cases):
                    self._wrong(
                        f"alerts: {alert.signal_key} revision {alert.revision} must expect "
                        f"{expected_cases} within strata; got {alert.statistics.expected_adjusted}"
                    )
                was_on = alert.previous is not None and bool(alert.previous.rules_fired)
                expected = _on(table, was_on=was_on)
                if expected is not None and expected != bool(alert.rules_fired):
                    self._wrong(f"alerts: {alert.signal_key} {alert.rules_fired} with {table}")

    def _require_once(self, alert_id: str) -> None:
        if alert_id in self._alert_ids:
            self._wrong(f"alerts: {alert_id} stands there twice")
        self._alert_ids.add(alert_id)

    def _read_signals(self, tables: Counts) -> None:
        for record in self._topics["signals"].rest():
            alert = decode_alert(record.value)
            if not isinstance(alert, SafetyAlert):
                self._states[record.key.decode()] = alert
        self.checked["signals"] = len(self._states)
        if self._states != self._last:
            self._wrong("signals: the state of some is not their last alert")
        by_pair = {(alert.drug, alert.event): alert for alert in self._last.values()}
        for pair in tables.keys() | by_pair.keys():
            table = self._now.table(*pair)
            alert = by_pair.get(pair)
            # Not by `kind`: a signal that is off is revised once more when cases are taken back.
            is_on = alert is not None and bool(alert.rules_fired)
            expected = _on(table, was_on=is_on)
            if expected is not None and expected != is_on:
                self._wrong(f"signals: {pair} with {table} must be {expected}; got {is_on}")
            if alert is not None and is_on and not _up_to_date(alert.counts.n_observed, table[0]):
                self._wrong(
                    f"signals: {pair} has {table[0]} cases; the last alert says "
                    f"{alert.counts.n_observed}"
                )


def _on(table: Table, *, was_on: bool) -> bool | None:
    """Return whether a signal is on: from where the rule fires until it passes its exit."""
    return mhra_stays(table) if was_on else mhra(table)


def _up_to_date(published: int, cases: int) -> bool:
    """Return whether a signal that is on needs no revision: none less, not many more cases."""
    return published <= cases and not (cases >= published + 3 and cases >= 1.5 * published)
