"""The desk of `tocsin serve --desk`, from the live topics of a real Kafka."""

import re
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from schemas.subscription import Tier
from streams.delivery.api.tokens import Scope, TokenStore
from streams.runtime.settings import Settings
from tests.broker.support.notices import line, send_notices
from tests.broker.support.processes import keyed, running, send, tocsin, wait_until
from tests.broker.support.retention import forget_records
from tests.support.recent_reports import RECENT_RULES, recent_reports
from tests.support.replays import founding_case

pytestmark = pytest.mark.broker


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIER_KEY", "an installation's secret")


def test_pages_are_made_of_what_the_topics_hold(topics: Settings, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    send(topics, keyed(recent_reports()))
    assert tocsin(topics, state, "run", *RECENT_RULES, "--drain").returncode == 0
    outbox = tmp_path / "outbox.db"
    with TokenStore(outbox) as store:
        read = frozenset({Scope.ALERTS_READ})
        token = store.add("PMDA", Tier.AUTHORITY, read, datetime.now(UTC))
    command = (
        "serve", "--desk", "--cases", "--port", "0", "--outbox", outbox,
        "--model", tmp_path / "signals.db", "--log", tmp_path / "audit.jsonl",
        "--desk-folder", tmp_path / "desk",
    )  # fmt: skip
    with running(topics, state, *command) as served:
        served.says("/desk")
        address = served.text().strip().splitlines()[-1].removesuffix("/desk")
        with httpx2.Client(base_url=address, timeout=30) as browser:

            def has_the_case_rows() -> bool:
                page = browser.get("/desk/signals/lead%7Cgout%7Ccumulative")
                return page.status_code == 200 and "C68" not in page.text and "C5" in page.text

            wait_until(has_the_case_rows, 60, "the signal and its cases")
            headers = {"authorization": f"Bearer {token}"}
            answer = browser.get("/v1/signals/lead%7Cgout%7Ccumulative", headers=headers).json()
            page = browser.get("/desk/signals/lead%7Cgout%7Ccumulative").text
            statistics = answer["signal"]["statistics"]
            assert f"{statistics['ic']:.2f}" in page
            assert len(re.findall(r"<svg", page)) >= 3  # computed from the counts it followed
            wait_until(lambda: "Gout" in browser.get("/desk?tab=on").text, 20, "its row")
            assert browser.get("/desk", headers={"host": "evil.example"}).status_code == 421


def test_deleted_counts_are_said_and_the_alerts_are_shown(topics: Settings, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    send(topics, keyed(recent_reports()))
    assert tocsin(topics, state, "run", *RECENT_RULES, "--drain").returncode == 0
    forget_records(topics, 1, "deltas")
    send(topics, keyed(recent_reports()[:3]))
    assert tocsin(topics, state, "run", *RECENT_RULES, "--drain").returncode == 0
    command = (
        "serve", "--desk", "--port", "0", "--outbox", tmp_path / "outbox.db",
        "--model", tmp_path / "signals.db", "--log", tmp_path / "audit.jsonl",
        "--desk-folder", tmp_path / "desk",
    )  # fmt: skip
    with running(topics, state, *command) as served:
        served.says("/desk")
        served.says("they were deleted")
        address = served.text().split("/desk")[0].split()[-1]
        with httpx2.Client(base_url=address, timeout=30) as browser:
            wait_until(
                lambda: browser.get("/desk/signals/lead%7Cgout%7Ccumulative").status_code == 200,
                60,
                "the signal",
            )


def test_rumours_are_read_from_their_topic(topics: Settings, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    reports, notices = founding_case()
    send(topics, keyed(reports))
    send_notices(topics, [*(line(notice) for notice in notices[:4]), b"no notice"])
    assert tocsin(topics, state, "run", *RECENT_RULES, "--drain").returncode == 0
    command = (
        "serve", "--desk", "--cases", "--port", "0", "--outbox", tmp_path / "outbox.db",
        "--model", tmp_path / "signals.db", "--log", tmp_path / "audit.jsonl",
        "--desk-folder", tmp_path / "desk",
    )  # fmt: skip
    with running(topics, state, *command) as served:
        served.says("/desk")
        served.says("not shown")
        address = served.text().split("/desk")[0].split()[-1]
        with httpx2.Client(base_url=address, timeout=30) as browser:
            subjects = {notice.subject_id for notice in notices[:4]}
            wait_until(
                lambda: any(name in browser.get("/desk/rumours").text for name in subjects),
                60,
                "a rumour",
            )
