"""Tails of alert files: each line once, when it is complete."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.errors import InputError
from streams.delivery.alert_sources import (
    AlertHistory,
    FileTail,
    parse_alert,
    parse_published,
    read_alert_lines,
)
from streams.runtime.operations.recount import read_alert_file
from tests.support.alerts import safety, signal, write_alerts
from tests.support.rules_changes import changed


def read(tail: FileTail) -> list[tuple[int, bytes]]:
    return [(number, line) for _, number, line in tail.read()]


def test_a_line_is_read_once_and_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    path.write_bytes(b'{"a": 1}\n\n{"a": ')
    tail = FileTail(path, lambda source: 0)
    assert read(tail) == [(1, b'{"a": 1}')]
    assert read(tail) == []
    with path.open("ab") as file:
        file.write(b"3}")  # complete, though without a line end
    assert read(tail) == [(3, b'{"a": 3}')]


@pytest.mark.parametrize("name", ["alerts.jsonl", "alerts.jsonl.gz"])
def test_an_overlong_line_is_blank_and_keeps_its_number(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.delivery.alert_sources.OWN_LINE_BYTES", 20)
    path = tmp_path / name
    content = b'{"a": 1}\n{"a": ' + b" " * 20 + b'2}\n{"a": 3}\n'
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    tail = FileTail(path, lambda source: 0)
    assert read(tail) == [(1, b'{"a": 1}'), (2, b""), (3, b'{"a": 3}')]


def test_stored_lines_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    path.write_bytes(b"1\n2\n3\n")
    tail = FileTail(path, lambda source: {str(path.resolve()): 3}[source])
    assert read(tail) == [(3, b"3")]
    assert tail.where(str(path), 3) == f"{path}, line 3"


def test_a_compressed_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl.gz"
    path.write_bytes(gzip.compress(b"1\n2\n"))
    assert read(FileTail(path, lambda source: 2)) == [(2, b"2")]


def test_a_file_with_fewer_lines_than_were_read_is_another_run(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    path.write_bytes(b"1\n")
    read(FileTail(path, lambda source: 2))  # one line was read: the next is 2
    with pytest.raises(InputError, match=r"must have the 2 lines that were read of it; got 1"):
        read(FileTail(path, lambda source: 3))
    with pytest.raises(InputError, match="must be a file of alerts; got no file"):
        read(FileTail(tmp_path / "none", lambda source: 0))


def test_alerts_of_both_kinds_are_read_and_another_line_is_named(tmp_path: Path) -> None:
    write_alerts(tmp_path, signal(), safety())
    path = tmp_path / "alerts.jsonl"
    assert list(read_alert_lines(path)) == [(1, signal()), (2, safety())]
    with path.open("a") as file:
        file.write("{}\n")
    with pytest.raises(InputError, match=r"alerts\.jsonl, line 3: must be an alert; got "):
        list(read_alert_lines(path))
    with pytest.raises(InputError, match=r"^here: must be an alert; got "):
        parse_alert(b"[]", "here")


def test_the_history_of_a_signal_is_read_from_the_beginning_once_it_is_asked_for(
    tmp_path: Path,
) -> None:
    path = tmp_path / "alerts.jsonl"
    write_alerts(tmp_path, signal(1), signal(2, revision=2), safety())
    opened: list[str] = []

    def open_source(place: Callable[[str], int]) -> FileTail:
        opened.append("once")
        return FileTail(path, place)

    history = AlertHistory(open_source)
    history.add(signal(2, revision=2))
    assert opened == []
    key = signal(1).signal_key
    assert [one.revision for one in history.of(key)] == [1, 2]
    history.add(signal(3, revision=3))
    assert [one.revision for one in history.of(key)] == [1, 2, 3]
    assert history.of("unknown") == ()
    assert opened == ["once"]


def test_a_change_of_rules_among_alerts_is_known_and_no_alert(tmp_path: Path) -> None:
    write_alerts(tmp_path, signal(1), safety())
    with (tmp_path / "alerts.jsonl").open("a") as file:
        file.write(changed().model_dump_json() + "\n")
    write_alerts(tmp_path, signal(2, revision=2))
    path = tmp_path / "alerts.jsonl"
    assert [number for number, _ in read_alert_lines(path)] == [1, 2, 4]
    assert len(list(read_alert_file(path))) == 3
    line = path.read_bytes().splitlines()[2]
    assert parse_published(line, "here") == changed()
    with pytest.raises(InputError, match="here: must be an alert; got a change of rules"):
        parse_alert(line, "here")
    history = AlertHistory(lambda place: FileTail(path, place))
    assert [one.revision for one in history.of(signal(1).signal_key)] == [1, 2]
