"""Builders of alerts, safety alerts and subscriptions, without a detector that makes them."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from detectors.rules import load_rules
from schemas.alert import (
    Alert,
    AlertKind,
    AlertReason,
    Counts,
    InputOffset,
    SignalGrade,
    Statistics,
    Window,
    WindowKind,
)
from schemas.safety_alert import AlertCategory, SafetyAlert, SafetyAlertKind
from schemas.subscription import Filters, Subscription, Tier
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.matching import matches
from streams.delivery.tier_copies import dated_copies
from streams.delivery.tiers import Copy

KEY = b"k" * 32
"""Of the pseudonyms in copies for tiers below the authorities."""
SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
"""Signs what a webhook is sent."""
NOW = datetime(2024, 1, 1, tzinfo=UTC)
RULES = load_rules(["mhra"])
AS_OF = (InputOffset(topic="pv.reports", partition=0, next_offset=1),)
"""What an alert is made from: one message of one partition."""


def signal(
    n: int = 3,
    *,
    revision: int = 1,
    drug: str = "msc-supernatant-exosome",
    event: str = "Sepsis",
    fatal: int = 0,
    grade: SignalGrade = SignalGrade.ALARM,
) -> Alert:
    """Return a revision of the signal of a pair with so many cases: the first is new."""
    key = f"{drug}|{event}|cumulative"
    return Alert(
        alert_id=f"{key}-{revision}",
        signal_key=key,
        revision=revision,
        kind=AlertKind.NEW if revision == 1 else AlertKind.STRENGTHENED,
        reason="r",
        sentence=f"{n} cases",
        drug=drug,
        event=event,
        grade=grade,
        window=Window(
            kind=WindowKind.CUMULATIVE,
            label="cumulative",
            first_day=None,
            last_day=date(2024, 1, 1),
        ),
        evaluated_on=date(2024, 1, 1),
        counts=Counts(n_observed=n, n_drug=63, n_event=163, n_total=20063),
        statistics=Statistics(**dict.fromkeys(Statistics.model_fields, 1.25)),
        rules=(),
        rules_fired=("mhra",),
        rules_hash=RULES.rules_hash,
        previous=None,
        n_serious=n,
        n_fatal=fatal,
        n_paediatric=0,
        regions=(),
        reasons=(AlertReason.FIRST,),
        policy_hash="p",
        first_received=None,
        last_received=None,
        case_ids=tuple(f"NE-{i}" for i in range(n)),
        as_of=(),
        code_version="1",
    )


def safety(
    category: AlertCategory = AlertCategory.LOT_CLUSTER,
    *,
    revision: int = 1,
    subject: str = "EX117",
    **fields: Any,
) -> SafetyAlert:
    """Return a revision of an urgent safety alert, by default of a lot with three cases."""
    key = f"{category}|{subject}"
    return SafetyAlert(
        category=category,
        alert_id=f"{key}-{revision}",
        signal_key=key,
        revision=revision,
        kind=SafetyAlertKind.NEW if revision == 1 else SafetyAlertKind.UPDATE,
        urgent=True,
        reason="r",
        sentence="3 cases of sepsis",
        subject=subject,
        product_class="extracellular-vesicles",
        terms=("Sepsis",),
        families=("infection",),
        countries=("US",),
        case_ids=("NE-1", "NE-2"),
        lots=("EX117",),
        facilities=("C-A",),
        first_day=date(2019, 10, 7),
        evaluated_on=date(2019, 10, 9),
        as_of=(),
        code_version="1",
        **fields,
    )


def subscription(tier: Tier = Tier.AUTHORITY, name: str = "s", **filters: Any) -> Subscription:
    """Return a subscription of a webhook to the alerts that pass these filters."""
    return Subscription(
        subscription_id=name,
        subscriber="PMDA",
        tier=tier,
        filters=Filters(**filters),
        url="https://receiver.example/hook",
        secrets=("HOOK",),
    )


def copies_of(tier: Tier, *alerts: AnyAlert) -> list[Copy]:
    """Return the copies of alerts for a tier, in the order of publication, from the first on."""
    return [copy for _, copy in dated_copies(tier, alerts, key=KEY)]


def copy_of(tier: Tier, alert: AnyAlert) -> Copy:
    """Return the copy of an alert that a tier sees, as if nothing was published before."""
    (copy,) = copies_of(tier, alert)
    return copy


def is_for(subscription: Subscription, alert: AnyAlert, *, sent_before: bool = False) -> bool:
    """Return whether a tier sees an alert and its copy matches a subscription."""
    copies = copies_of(subscription.tier, alert)
    return any(matches(subscription, copy, sent_before=sent_before) for copy in copies)


def write_alerts(folder: Path, *alerts: AnyAlert) -> None:
    """Append alerts to the file of alerts in a folder, as `tocsin replay` writes them."""
    with (folder / "alerts.jsonl").open("a") as file:
        file.writelines(alert.model_dump_json() + "\n" for alert in alerts)
