"""`tocsin topics`, `publish`, `run` and `alerts`: arguments refused without a broker."""

import signal
from collections.abc import Iterator

import pytest

from tests.support.cli import Run, require_refused


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
