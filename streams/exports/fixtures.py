"""Golden files for tests of other programs: the scenario's reports, notices and alerts."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from detectors.rules import load_rules
from schemas.alert import Alert, AlertKind
from schemas.base import Message
from schemas.cloud_event import cloud_event_headers
from schemas.errors import InputError
from schemas.notice import Notice
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.safety_alert import SafetyAlert
from schemas.subscription import Tier
from streams.core.counting.windows import WindowSpec
from streams.delivery.alert_sources import AnyAlert
from streams.demo import background, story
from streams.demo.epilogue import epilogue
from streams.exports.json_lines import tier_lines
from streams.exports.result_file import result_file
from streams.runtime.embedded.replay import Replay

__all__ = [
    "FIXTURE_KEY",
    "FIXTURE_RULES",
    "ScenarioBranch",
    "cloud_event",
    "contract_examples",
    "replayed_branch",
    "write_fixtures",
]

FIXTURE_RULES = ("mhra", "ema", "ic")
"""Rules of the alarm, without a screening: few enough to follow the numbers by hand."""
FIXTURE_KEY = b"tocsin fixtures"
"""Secret of the codes in the copies; the files are public, so it is no secret here."""
_SOURCE = "/tocsin/pv.alerts"


@dataclass(frozen=True)
class ScenarioBranch:
    """One branch of the scenario: what is sent, and the alerts that follow."""

    reports: tuple[Report, ...]
    notices: tuple[Notice, ...]
    alerts: tuple[AnyAlert, ...]


def replayed_branch(*, refuted: bool) -> ScenarioBranch:
    """Replay one branch of the scenario, with its epilogue, after the background.

    Parameters
    ----------
    refuted
        Whether the rumour of deaths is refuted; else a report confirms it.
    """
    items = [entry.item for entry in story(refuted=refuted)]
    reports = [*(item for item in items if isinstance(item, Report)), *epilogue()]
    notices = [item for item in items if isinstance(item, Notice)]
    alerts: list[AnyAlert] = []
    reports.sort(key=lambda report: report.latest_received)
    run = Replay(
        [WindowSpec.parse("cumulative")],
        load_rules(FIXTURE_RULES),
        every=1,
        until=None,
        horizon=date.max,
        on_alert=alerts.append,
        on_safety_alert=alerts.append,
        on_rejected=_refuse,
        notices=notices,
    )
    for _ in run.feed("scenario", enumerate([*background(), *reports], start=1)):
        pass
    run.finish()
    return ScenarioBranch(tuple(reports), tuple(notices), tuple(alerts))


def _refuse(rejected: Rejected) -> None:
    msg = f"scenario: every report must be accepted; got {rejected.reason}"
    raise InputError(msg)


def cloud_event(alert: AnyAlert) -> dict[str, Any]:
    """Return an alert as a CloudEvent in structured mode; on Kafka the attributes are headers."""
    headers = cloud_event_headers(alert, source=_SOURCE)
    attributes = {
        name.removeprefix("ce_"): value.decode()
        for name, value in headers.items()
        if name.startswith("ce_")
    }
    content_type = headers["content-type"].decode()
    return {
        **attributes,
        "datacontenttype": content_type,
        "data": alert.model_dump(mode="json"),
    }


def write_fixtures(folder: Path) -> list[Path]:
    """Write the files of both branches into a folder and return their paths.

    The same version writes the same bytes. Files of other names stay.
    """
    written = [_write(folder / "background.jsonl", map(_lean, background()))]
    for name in ("confirmed", "refuted"):
        branch = replayed_branch(refuted=name == "refuted")
        tiers = {
            tier: tier_lines(branch.alerts, tier, key=FIXTURE_KEY, all_revisions=True)
            for tier in (Tier.PUBLIC, Tier.CONSUMER)
        }
        lines: dict[str, Iterable[str]] = {
            "reports": map(_lean, branch.reports),
            "notices": map(_lean, branch.notices),
            "alerts": (alert.model_dump_json() for alert in branch.alerts),
            "cloudevents": map(_text, map(cloud_event, branch.alerts)),
            **{f"alerts.{tier}": map(_text, copies) for tier, copies in tiers.items()},
        }
        written += [_write(folder / name / f"{kind}.jsonl", found) for kind, found in lines.items()]
    return written


def contract_examples() -> dict[str, Any]:
    """Return an example of each message that a developer meets first, by name.

    They are of the scenario: a report, its follow-up and nullification, the first alert, a
    retraction and a safety alert.
    """
    branch = replayed_branch(refuted=False)
    signals = [alert for alert in branch.alerts if isinstance(alert, Alert)]
    follow_up, nullification, _ = epilogue()
    report = next(one for one in branch.reports if one.case_id == follow_up.case_id)
    examples: dict[str, Message] = {
        "report": report,
        "follow_up": follow_up,
        "nullification": nullification,
        "alert": signals[0],
        "retraction": next(one for one in signals if one.kind is AlertKind.RETRACTION),
        "safety_alert": next(one for one in branch.alerts if isinstance(one, SafetyAlert)),
    }
    return {
        name: json.loads(_lean(one)) if isinstance(one, Report) else one.model_dump(mode="json")
        for name, one in examples.items()
    }


def _lean(message: Message) -> str:
    return message.model_dump_json(exclude_defaults=True)


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _write(path: Path, lines: Iterable[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with result_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as out:
        out.writelines(f"{line}\n" for line in lines)
    return path
