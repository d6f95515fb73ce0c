"""A changelog of cases in scripted topics: batches, then a copy that deletes what precedes it."""

from collections.abc import Iterable, Sequence

import msgspec
from kafka import TopicPartition

from schemas.report import Report
from streams.core.cases.from_report import case_version
from streams.core.cases.transitions import CaseVersion
from streams.runtime.state.case_store import CASE_PREFIX
from streams.runtime.state.changelog import Pair, Progress, encode_pairs, encode_record
from tests.support.scripted_kafka import ScriptedTopics
from tests.support.work import raw

REPORTS, CASES = TopicPartition("pv.reports", 0), TopicPartition("pv.cases", 0)
NUMBER = 6
GONE = b"cGONE"
"""A key that the first batch puts and the last one deletes: half of the old log would hold it."""


def version(case: int) -> CaseVersion:
    return case_version(Report.model_validate_json(raw(case)))


def pairs(cases: Iterable[int]) -> list[Pair]:
    return [
        (CASE_PREFIX + f"C{case}".encode(), msgspec.msgpack.encode(version(case))) for case in cases
    ]


def expected() -> dict[str, CaseVersion]:
    return {f"C{case}": version(case) for case in range(NUMBER)}


class ScriptedChangelog:
    """Six reports and the changelog of their cases, a batch for each."""

    def __init__(self) -> None:
        self.topics = topics = ScriptedTopics()
        for name in ("deltas", "rejected", "signals"):
            topics.add(TopicPartition(f"pv.{name}", 0))
        topics.add(CASES)
        topics.add(REPORTS)
        self.progress = Progress(base=0)
        self.next_offset = 0
        for case in range(NUMBER):
            more: list[Pair] = [(GONE, b"")] if case == 0 else []
            more += [(GONE, None)] if case == NUMBER - 1 else []
            self.batch(case, [*pairs([case]), *more])

    def batch(self, case: int, changes: Sequence[Pair]) -> None:
        """Publish a report, and what it changed."""
        self.topics.add(REPORTS, [raw(case)], key=f"C{case}".encode())
        (part,) = encode_pairs(changes)
        span = self.next_offset, self.next_offset + 1
        self.next_offset += 1
        self.progress = self.progress.after_part(part)
        record = encode_record(1, span, self.progress, part.encoded)
        self.topics.add(CASES, [record], markers=1)

    def copy(self, cases: Iterable[int] = range(NUMBER)) -> int:
        """Copy the state in two chunks and return their base."""
        state = sorted(pairs(cases))
        self.progress = self.progress.begin_copy(self.topics.ends[CASES])
        after = b""
        for chunk in (state[:2], state[2:]):
            (part,) = encode_pairs(chunk)
            until = chunk[-1][0]
            self.progress = self.progress.after_chunk(part, until, last=chunk[-1] == state[-1])
            span = (self.next_offset, self.next_offset)
            record = encode_record(1, span, self.progress, part.encoded, (after, until))
            self.topics.add(CASES, [record], markers=1)
            after = until
        return self.progress.base

    def copy_and_delete(self) -> None:
        """Copy the state, and delete what precedes the copy."""
        self.topics.delete_before(CASES, self.copy())
