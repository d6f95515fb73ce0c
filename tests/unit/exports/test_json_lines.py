"""`tocsin export jsonl`: stable lines, and no more than the tier may see."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from schemas.alert import SignalGrade
from schemas.errors import InputError
from schemas.safety_alert import AlertCategory, SafetyAlert, SafetyAlertKind
from schemas.subscription import Tier
from streams.cli.app import command_line
from streams.delivery.alert_sources import read_alert_lines
from streams.exports.json_lines import tier_lines
from tests.support.alerts import KEY, signal
from tests.support.assessments import DETECTED, LOT, TRIAGE, decided

GOLDEN = Path(__file__).parents[2] / "replay" / "golden" / "alerts.jsonl"
AUDITED = ("--tier", "authority", "--audit")
Export = Callable[..., list[dict[str, object]]]


def _safety(category: AlertCategory, subject: str, revision: int) -> SafetyAlert:
    return SafetyAlert(
        category=category,
        alert_id=f"{category}-{subject}-{revision}",
        signal_key=f"{category}|{subject}",
        revision=revision,
        kind=SafetyAlertKind.NEW if revision == 1 else SafetyAlertKind.UPDATE,
        urgent=True,
        reason="r",
        sentence="2 cases of sepsis",
        subject=subject,
        lots=(subject,),
        facilities=("C-A",),
        case_ids=("NE-1", "NE-2"),
        evaluated_on=date(2019, 10, 9),
        as_of=(),
        code_version="1",
    )


def test_an_export_for_the_public_has_a_signal_from_its_first_alarm_on() -> None:
    wider = SignalGrade.SCREENING
    history = [
        signal(drug="zinc", grade=wider),
        *(signal(revision=1, grade=wider), signal(revision=2), signal(revision=3, grade=wider)),
        signal(11, revision=4, grade=wider),
    ]
    for tier, revisions, latest in (
        (Tier.PUBLIC, [1, 2], [2]),
        (Tier.CONSUMER, [1, 1, 2, 3, 4], [4, 1]),
    ):
        for all_revisions, expected in ((True, revisions), (False, latest)):
            lines = tier_lines(history, tier, key=KEY, all_revisions=all_revisions)
            assert [line["revision"] for line in lines] == expected


@pytest.fixture
def alerts(tmp_path: Path) -> Path:
    path = tmp_path / "alerts.jsonl"
    golden = [
        json.dumps({**json.loads(line), "code_version": "1"})
        for line in GOLDEN.read_text(encoding="utf-8").splitlines()
    ]
    lots = [
        _safety(AlertCategory.LOT_CLUSTER, lot, revision).model_dump_json()
        for revision in (1, 2)
        for lot in ("ZX9", "EX117")
    ]
    clinic = _safety(AlertCategory.FACILITY_CLUSTER, "C-A", 1).model_dump_json()
    path.write_text("\n".join([*golden, *lots, clinic]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def export(alerts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Export:
    monkeypatch.setenv("TIER_KEY", "k" * 32)

    def run(*options: str) -> list[dict[str, object]]:
        out = tmp_path / "out.jsonl"
        command_line()(
            ["export", "jsonl", str(alerts), "-o", str(out), *options], standalone_mode=False
        )
        text = out.read_text(encoding="utf-8")
        assert text.endswith("\n")
        return [json.loads(line) for line in text.splitlines()]

    return run


def test_an_authority_gets_the_full_latest_revision_of_each_signal(
    alerts: Path, export: Export
) -> None:
    latest = {alert.signal_key: alert for _, alert in read_alert_lines(alerts)}
    found = export("--tier", "authority")
    assert found == [latest[key].model_dump(mode="json") for key in sorted(latest)]
    assert "LOT_CLUSTER|EX117" in latest


def test_all_revisions_are_in_the_order_of_the_file(alerts: Path, export: Export) -> None:
    found = export("--tier", "authority", "--all")
    assert found == [alert.model_dump(mode="json") for _, alert in read_alert_lines(alerts)]


@pytest.mark.parametrize("tier", ["public", "consumer"])
@pytest.mark.parametrize("options", [(), ("--all",)])
def test_no_lot_facility_or_case_is_in_lower_tiers(
    tier: str, options: tuple[str, ...], alerts: Path, export: Export, tmp_path: Path
) -> None:
    export("--tier", tier, *options)
    text = (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    for name in ("EX117", "ZX9", "C-A", "NE-1", "FACILITY"):
        assert name in alerts.read_text(encoding="utf-8")
        assert name not in text
    assert "LOT_CLUSTER" in text


def test_the_public_copy_has_bands_and_is_the_default(export: Export) -> None:
    found = export()
    assert found == export("--tier", "public")
    signals = [line for line in found if "drug" in line]
    assert signals
    assert {line["n_observed"] for line in signals} <= {"0", "1-10", "11-50"}
    assert not [line for line in signals if "counts" in line or "statistics" in line]


def test_without_the_key_only_the_authority_gets_a_copy(
    export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIER_KEY")
    with pytest.raises(Exception, match="TIER_KEY: must be in the environment"):
        export("--tier", "consumer")
    assert export("--tier", "authority")


def test_with_the_log_copies_for_authorities_have_the_assessment(
    alerts: Path, export: Export, tmp_path: Path
) -> None:
    decided(tmp_path / "audit.jsonl")
    plain, told = export("--tier", "authority"), export(*AUDITED, str(tmp_path / "audit.jsonl"))
    standing = {line["signal_key"]: line.pop("assessment") for line in told}
    assert {line.pop("assessment") for line in plain} == {None}
    assert told == plain
    assert standing.pop("LOT_CLUSTER|EX117") == TRIAGE
    assert len(standing) > 2
    assert all(one == DETECTED for one in standing.values())
    every = export(*AUDITED, str(tmp_path / "audit.jsonl"), "--all")
    assert [line["assessment"] for line in every if line["signal_key"] == LOT.signal_key] == [
        TRIAGE,
        TRIAGE,
    ]


def test_the_log_is_refused_for_lower_tiers_and_if_it_is_invalid(
    export: Export, alerts: Path, tmp_path: Path
) -> None:
    log = tmp_path / "audit.jsonl"
    with pytest.raises(InputError, match="must be an audit log; got no file"):
        export(*AUDITED, str(log))
    decided(log)
    for tier in ("public", "consumer"):
        with pytest.raises(InputError, match=f"--audit: only --tier authority .*got --tier {tier}"):
            export("--tier", tier, "--audit", str(log))
    with pytest.raises(InputError):
        command_line()(["export", "jsonl", str(alerts), "-o", str(log), *AUDITED, str(log)],
            standalone_mode=False)  # fmt: skip
    assert log.read_text().count("\n") == 3
