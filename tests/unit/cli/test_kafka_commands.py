"""`tocsin topics`, `publish`, `run` and `alerts`: arguments refused without a broker."""

import logging
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import streams.cli.kafka_commands as kafka_commands
from tests.support import e2b_r2
from tests.support.archives import write_zip
from tests.support.cli import Run, require_refused
from tests.support.faers_quarters import joined_quarter


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make every connection to a broker fail, with another error than those below."""
    monkeypatch.setenv("TOCSIN_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("TOCSIN_CONNECT_TIMEOUT_MS", "1000")
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():  # a command keeps them until its process ends
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("publish", "publish: files of reports, or of notices with --notices, must be given; got"),
        ("run --stage cases --counts out.parquet", "--counts: the cases stage keeps no counts"),
        ("run --stage link --counts out.parquet", "--counts: the link stage keeps no counts"),
        ("run --counts no/out.parquet", "no/out.parquet: the folder to write into must exist"),
        ("run --rules nonsense", "load_rules: a rule must be a .toml file or "),
        ("run --config none.toml", "none.toml"),
        ("run --bootstrap broker", "bootstrap"),
        ("topics create --config none.toml", "none.toml"),
        ("alerts --bootstrap broker", "bootstrap"),
    ],
)
def test_invalid_arguments_are_one_line_without_a_broker(
    arguments: str, line: str, run: Run
) -> None:
    require_refused(run(arguments), line)


def test_progress_is_logged_once_for_each_change_of_the_tally(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kafka_commands, "_PROGRESS_SECONDS", -1.0)
    poller: Any = SimpleNamespace(poll=lambda workers: None)
    tally = Counter[str]()
    steps = iter([{}, {"first": 2}, {}, {"first": 1, "suppressed, same_cases": 1}, {}])
    worker: Any = SimpleNamespace(
        stage="cases", tally=tally, step=lambda timeout_ms: tally.update(next(steps))
    )
    asked = iter([False] * 5 + [True])
    stop: Any = SimpleNamespace(asked=lambda: next(asked))
    with caplog.at_level(logging.INFO):
        kafka_commands._loop([worker], stop, poller, drain=False)
    assert caplog.messages == [
        "progress: first: 2",
        "progress: first: 3; suppressed, same_cases: 1",
    ]
    assert next(vars(record)["tally"] for record in caplog.records) == {"first": 2}


@pytest.fixture
def counted_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count what would be published."""

    def publish(
        settings: Any, source: str, items: Any, tally: Counter[str], on_rejected: Any
    ) -> Iterator[int]:
        tally["reports"] += len(list(items))
        yield tally["reports"]

    monkeypatch.setattr(kafka_commands, "publish_source", publish)


@pytest.mark.usefixtures("counted_only")
def test_values_that_a_published_report_cannot_carry_are_in_the_summary(
    run: Run, tmp_path: Path
) -> None:
    message = e2b_r2.message_of(e2b_r2.FIELDS | {"occurcountry": "EU"})
    (tmp_path / "batch.xml").write_bytes(e2b_r2.batch_of([message] * 3))
    assert run("publish batch.xml").rows() == [
        ["reports published", "3"],
        ["notices published", "0"],
        ["rejected", "0"],
        ["values that a report cannot carry", "3"],
        ["occurcountry (A.1.2) 'EU'", "3"],
    ]


@pytest.mark.usefixtures("counted_only")
def test_repairs_of_a_published_file_are_in_the_summary(run: Run, tmp_path: Path) -> None:
    write_zip(tmp_path / "q.zip", joined_quarter("17Q2"))
    assert run("publish q.zip").rows() == [
        ["reports published", "2"],
        ["notices published", "0"],
        ["rejected", "0"],
        ["repaired", "2"],
        ["rows that shared a line", "2"],
    ]
