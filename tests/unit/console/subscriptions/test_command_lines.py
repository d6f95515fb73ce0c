"""Command lines of the pages do what they say: they are run and the outbox compared."""

import shlex
from pathlib import Path

import pytest

from schemas.alert_reason import SignalGrade
from schemas.priority import PriorityLevel
from schemas.subscription import Filters, Stream, Subscription, Tier
from streams.console.subscriptions.command_lines import of_act, of_subscribing
from streams.delivery.outbox import Outbox
from tests.support.cli import invoke

KEY = "k" * 32
FILTERS = Filters(
    categories=("SDR",),
    kinds=("new",),
    jurisdictions=("JP",),
    classes=("extracellular-vesicles",),
    products=("RV 'oral'", "MMR"),
    terms=("Pain; chronic",),
    families=("infection",),
    levels=("product",),
    grades=(SignalGrade.SCREENING, SignalGrade.ALARM),
    rules=("ema",),
    windows=("cumulative",),
    urgent_only=True,
    min_priority=PriorityLevel.HIGH,
)


@pytest.fixture
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIER_KEY", KEY)
    return tmp_path / "an outbox.db"


@pytest.mark.parametrize("filters", [Filters(), FILTERS], ids=["usual", "every one"])
def test_the_command_saves_the_same_filters(outbox: Path, filters: Filters) -> None:
    line = of_subscribing("s", "M. O'Hara", "authority", filters, "--stream", outbox)
    done = invoke(*shlex.split(line)[1:], "--yes")
    assert done.exit_code == 0, done.output
    with Outbox(outbox, key=KEY.encode()) as stored:
        (status,) = stored.statuses()
    assert status.subscription == Subscription(
        subscription_id="s",
        subscriber="M. O'Hara",
        tier=Tier.AUTHORITY,
        channel=Stream(),
        filters=filters,
    )
    for act, paused in (("pause", True), ("resume", False)):
        assert invoke(*shlex.split(of_act(act, status.subscription, outbox))[1:]).exit_code == 0
        with Outbox(outbox, key=KEY.encode()) as stored:
            assert (stored.statuses()[0].paused is not None) == paused
