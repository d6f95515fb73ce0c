"""A replay of reports in this process, to its end, and everything that it published."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from detectors.rules import RuleSet, load_rules
from schemas.alert import Alert
from schemas.notice import Notice
from schemas.report import Report
from schemas.safety_alert import SafetyAlert
from schemas.suppressed import Suppressed
from schemas.watch_item import WatchItem
from streams.core.counting.windows import WindowSpec
from streams.core.signals.realert_policy import AlertPolicy
from streams.delivery.alert_sources import AnyAlert
from streams.demo import story
from streams.runtime.embedded.replay import Replay


@dataclass(frozen=True)
class Replayed:
    """A replay that ended."""

    run: Replay
    published: list[AnyAlert]
    suppressed: list[Suppressed]
    watch_items: list[WatchItem]

    @property
    def alerts(self) -> list[Alert]:
        """The alerts on signals, without safety alerts."""
        return [alert for alert in self.published if isinstance(alert, Alert)]

    @property
    def safety_alerts(self) -> list[SafetyAlert]:
        """The safety alerts alone."""
        return [alert for alert in self.published if isinstance(alert, SafetyAlert)]


def replayed(
    reports: Iterable[Report],
    *,
    rules: RuleSet | str = "mhra",
    window: str = "cumulative",
    notices: Iterable[Notice] = (),
    policy: AlertPolicy | None = None,
    until: date | None = None,
) -> Replayed:
    """Replay reports in their order and evaluate every day; none of them may be rejected."""
    rejected: list[object] = []
    published: list[AnyAlert] = []
    suppressed: list[Suppressed] = []
    watch_items: list[WatchItem] = []
    run = Replay(
        [WindowSpec.parse(window)],
        load_rules(rules) if isinstance(rules, str) else rules,
        every=1,
        until=until,
        horizon=date(2030, 1, 1),
        policy=policy,
        notices=notices,
        on_alert=published.append,
        on_safety_alert=published.append,
        on_suppressed=suppressed.append,
        on_watch_item=watch_items.append,
        on_rejected=rejected.append,
    )
    for _ in run.feed("test", enumerate(reports, start=1)):
        pass
    run.finish()
    assert rejected == []
    return Replayed(run, published, suppressed, watch_items)


def founding_case(*, refuted: bool = False) -> tuple[list[Report], list[Notice]]:
    """Return the reports and the notices of the demo's story."""
    items = [entry.item for entry in story(refuted=refuted)]
    reports = [item for item in items if isinstance(item, Report)]
    return reports, [item for item in items if isinstance(item, Notice)]
