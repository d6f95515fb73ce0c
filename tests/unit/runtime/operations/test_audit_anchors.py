"""Anchors of the audit log outside it, kept and compared."""

import logging
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from schemas.audit_anchor import AuditAnchor
from schemas.errors import BrokerError, InputError, StateError
from streams.runtime.operations import audit_anchors
from streams.runtime.operations.audit_anchors import (
    anchor_line,
    hashes_in_export,
    keep_anchor,
    names_broker,
    read_anchors,
)
from streams.runtime.settings import Settings

ANCHOR = AuditAnchor(number=2, hash="ab" * 32, at=datetime(2024, 1, 1, tzinfo=UTC))


class Topics:
    """A broker's topic in memory, or one that is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.records: list[tuple[str, bytes]] = []
        self.away = away

    def __call__(self, settings: Settings) -> "Topics":
        return self

    def close(self) -> None:
        """Nothing is open."""

    def write(self, topic: str, key: str, value: bytes) -> None:
        if self.away:
            msg = "write to pv.audit: nobody there"
            raise BrokerError(msg)
        self.records.append((topic, value))


def test_an_anchor_is_published_and_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    topics = Topics()
    monkeypatch.setattr(audit_anchors, "TopicWriter", topics)
    keep_anchor(Settings(), ANCHOR)
    ((topic, value),) = topics.records
    assert topic == "pv.audit"
    records = [SimpleNamespace(value=value, offset=0), SimpleNamespace(value=b"{}", offset=1)]
    monkeypatch.setattr(audit_anchors, "read_to_end", lambda settings, topic: iter(records))
    found = read_anchors(Settings())
    assert next(found) == ANCHOR
    with pytest.raises(StateError, match=r"pv\.audit, offset 1: must be an anchor"):
        next(found)


def test_a_decision_outlasts_a_broker_that_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(audit_anchors, "TopicWriter", Topics(away=True))
    with caplog.at_level(logging.WARNING):
        keep_anchor(Settings(), ANCHOR)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("decision 2 is logged, but its hash is not anchored: write to pv.audit")


def test_a_broker_is_configured_only_if_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not names_broker(Settings.load())
    assert names_broker(Settings.load(bootstrap="127.0.0.1:9999"))
    monkeypatch.setenv("TOCSIN_BOOTSTRAP", "127.0.0.1:9999")
    assert names_broker(Settings.load())


def test_the_hash_is_found_in_text_and_in_a_workbook(tmp_path: Path) -> None:
    line = anchor_line(2, ANCHOR.hash)
    (tmp_path / "about.csv").write_text(f"Decisions,{line}\n")
    with zipfile.ZipFile(tmp_path / "ermr.xlsx", "w") as book:
        book.writestr("xl/sharedStrings.xml", f"<t>{line}</t>")
    for name in ("about.csv", "ermr.xlsx"):
        assert hashes_in_export(tmp_path / name) == [(2, ANCHOR.hash)]
    (tmp_path / "other.csv").write_text("no hash\n")
    with pytest.raises(InputError, match="got none in the file"):
        hashes_in_export(tmp_path / "other.csv")
    with pytest.raises(InputError, match="must be a hash of 64"):
        hashes_in_export(tmp_path / "missing")
