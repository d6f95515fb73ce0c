"""Rejects by rule: counted whole, with the first of each."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.rejected import Rejected
from streams.console.operations import rejects as module
from streams.console.operations.rejects import KafkaRejects, KeptRejects, Redrivable, first_line
from streams.runtime.operations.redrive import Redrive, Selection
from streams.runtime.settings import Settings
from streams.runtime.wire.rejects import StoredReject


def _reject(reason: str, position: int = 1, source: str = "a.csv", raw: bytes = b"x") -> Rejected:
    return Rejected(source=source, position=position, reason=reason, raw=raw)


REJECTS = (
    _reject("RECVDATE must be a day; got '1'", 4),
    _reject("products.1.name: must be a text", 5),
    _reject("RECVDATE must be a day; got '2'", 6, "b.csv"),
    _reject("products.27.name: must be a text (and 2 more)", 7),
    _reject("RECVDATE must be a day; got ''", 8),
)


def test_those_of_one_rule_are_one_group_with_the_first_of_them() -> None:
    kept = KeptRejects()
    for reject in REJECTS:
        kept.add(reject)
    day, name = kept.groups()
    assert (day.rule, day.n, day.sources) == ("RECVDATE must be a day", 3, {"a.csv", "b.csv"})
    assert day.first == REJECTS[0]
    assert (name.rule, name.n) == ("products.name: must be a text", 2)
    assert not isinstance(kept, Redrivable)


def test_rules_that_a_hostile_file_makes_up_are_bounded() -> None:
    kept = KeptRejects()
    for number in range(1_200):
        kept.add(_reject(f"rule {number} must hold"))
    kept.add(_reject("rule 3 must hold"))
    assert len(kept.groups()) == 1_000
    assert kept.groups()[0].n == 2


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"first\nsecond", "first"),
        (b"a\r\nb", "a"),
        (b"\x1b[2J", "\\x1b[2J"),
        (b"\xff", "\\xff"),
        ("é\u202eb".encode(), "é\\x202eb"),
        (b"x" * 5_000, "x" * 300 + "…"),
        (b"", ""),
    ],
)
def test_a_first_line_is_printable_and_short(raw: bytes, line: str) -> None:
    assert first_line(_reject("r", raw=raw)) == line


def test_those_on_kafka_are_grouped_and_redriven_by_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    asked: list[tuple[Selection, bool]] = []

    def read(settings: Settings, selection: Selection) -> Any:
        return ((StoredReject(one, 1, "d", at), None) for one in REJECTS)

    def redrive(settings: Settings, selection: Selection, *, dry_run: bool) -> Redrive:
        asked.append((selection, dry_run))
        chosen = [one for one in REJECTS if selection.matches(StoredReject(one, 1, "d", at))]
        return Redrive(Counter({"as it was": len(chosen)}), Counter())

    monkeypatch.setattr(module, "read_rejects", read)
    monkeypatch.setattr(module, "redrive", redrive)
    rejects = KafkaRejects(Settings())
    assert isinstance(rejects, Redrivable)
    groups = rejects.groups()
    assert [group.n for group in groups] == [3, 2]
    for group in groups:
        done = rejects.redrive(group.rule, dry_run=True)
        assert done.redriven.total() == group.n
        assert asked[-1][1]
