"""One revision of one alert, as it travels on `pv.alerts`."""

from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas.alert_reason import AlertKind, AlertReason, SignalLevel
from schemas.base import Message
from schemas.clinical import PatientGroups, TimeToOnset
from schemas.context import Context
from schemas.decision import Assessment
from schemas.priority import Priority
from schemas.scrutiny import Burst, Restricted
from schemas.tables import Counts, Statistics

__all__ = [
    "ALERT_SCHEMA_VERSION",
    "CAVEAT",
    "Alert",
    "AlertKind",
    "AlertReason",
    "Counts",
    "InputOffset",
    "Previous",
    "RuleOutcome",
    "SignalLevel",
    "Statistics",
    "Window",
    "WindowKind",
]

ALERT_SCHEMA_VERSION = "1.0"
"""Version of the alert schema. Changes are additive within a major number."""

CAVEAT = (
    "Disproportionate reporting is a reason to look, not evidence that the product caused the "
    "event. Counts are spontaneous reports, not incidence."
)
"""Stands in every alert."""


class WindowKind(StrEnum):
    """How event time is cut."""

    CUMULATIVE = "cumulative"
    MONTH = "month"
    QUARTER = "quarter"
    SLIDING = "sliding"


class Window(Message):
    """The days whose cases are counted, both ends included."""

    kind: WindowKind = Field(description="How event time is cut.")
    label: str = Field(description="`cumulative`, `2024-05`, `2024-Q2`, or `sliding-365d`.")
    first_day: date | None = Field(description="First day; null if open to the past.")
    last_day: date = Field(description="Last day; the day of evaluation in a moving window.")


class RuleOutcome(Message):
    """One rule, and whether it is on.

    A rule fires when its inequalities hold. It is on from then until it passes its exit.
    """

    name: str = Field(description="Name of the rule.")
    sentence: str = Field(description="The rule in words, with its exact inequalities.")
    exit_sentence: str = Field(
        description="What ends it once it is on; an undefined statistic does so as well."
    )
    fired: bool = Field(description="Whether it is on now.")
    held: bool = Field(
        description="Whether it is on only because its exit is not passed: it would not fire now."
    )


class Previous(Message):
    """The published revision that this one replaces."""

    revision: int = Field(ge=1, description="Its number.")
    kind: AlertKind = Field(description="Its kind.")
    evaluated_on: date = Field(description="Its day of evaluation.")
    n_observed: int = Field(ge=0, description="Its count of cases.")
    ror_lower: float | None = Field(description="Its lower bound of the reporting odds ratio.")
    ic_lower: float | None = Field(description="Its IC025.")
    rules_fired: tuple[str, ...] = Field(description="The rules that were on then.")


class InputOffset(Message):
    """How far one input partition had been counted."""

    topic: str = Field(description="Topic the reports came from.")
    partition: int = Field(ge=0, description="Partition of that topic.")
    next_offset: int = Field(ge=0, description="Every message before this offset is counted.")


class Alert(Message):
    """One revision of one alert: a signal of disproportionate reporting and what became of it."""

    schema_version: Literal["1.0"] = Field(
        default="1.0", description="Version of this schema; additive within a major number."
    )
    alert_id: str = Field(
        description="Unique to this revision, derived from signal key, rules, policy and revision "
        "number: a repeat is recognisable for ever."
    )
    signal_key: str = Field(
        description="The same in every revision: `drug|event|window`, each part percent-encoded."
    )
    revision: int = Field(ge=1, description="1, 2, 3 ... within the signal key, without gaps.")
    kind: AlertKind = Field(description="What happened.")
    reason: str = Field(description="Why this revision was published, in one line.")
    reasons: tuple[AlertReason, ...] = Field(
        description="The same as codes: every one that applies, the gravest first.",
        min_length=1,
    )
    sentence: str = Field(description="The alert in plain words.")
    caveat: str = Field(default=CAVEAT, description="What the alert does not say.")
    drug: str = Field(description="Product of the pair, as counted.")
    event: str = Field(description="Event of the pair, as counted.")
    level: SignalLevel = Field(
        default=SignalLevel.PRODUCT, description="What the signal is of, by its drug and event."
    )
    urgent: bool = Field(
        default=False,
        description="Whether it goes past every digest: it is new, or told for, a fatal case or an "
        "event that the policy designates.",
    )
    priority: Priority | None = Field(
        default=None, description="How urgently it asks to be looked at, with its parts."
    )
    next_step: str = Field(default="", description="What an assessor is asked to do, in words.")
    due: date | None = Field(
        default=None, description="Event-time day by which that should be done; null: none."
    )
    context: Context | None = Field(
        default=None, description="What is known around it; null unless a product of the domain."
    )
    window: Window = Field(description="The days counted.")
    evaluated_on: date = Field(description="Event-time day of the evaluation, not a clock reading.")
    counts: Counts = Field(description="The 2x2 table.")
    statistics: Statistics = Field(description="What was computed from it.")
    rules: tuple[RuleOutcome, ...] = Field(description="Every rule asked, and its answer.")
    rules_fired: tuple[str, ...] = Field(
        description="Names of the rules that are on, sorted; none if the signal is off."
    )
    rules_hash: str = Field(description="SHA-256 of the rules, their exits and their lists.")
    policy_hash: str = Field(description="SHA-256 of the policy that decides what is told again.")
    prior_id: str | None = Field(
        default=None, description="Prior that EBGM was computed with; null if none was."
    )
    test_recomputed: bool | None = Field(
        default=None,
        description="Whether a past day was corrected after the anytime-valid test had taken it "
        "in, which breaks the order its promise holds in; null if no rule asks for the test.",
    )
    previous: Previous | None = Field(description="What this revision replaces; null in the first.")
    n_serious: int = Field(ge=0, description="Cases of the pair with any seriousness criterion.")
    n_fatal: int = Field(ge=0, description="Cases of the pair with a fatal outcome.")
    n_paediatric: int = Field(ge=0, description="Cases of the pair of patients under 18 years.")
    n_life_threatening: int | None = Field(
        default=None, ge=0, description="Cases of the pair stated to be life-threatening."
    )
    patients: PatientGroups | None = Field(
        default=None, description="Cases of the pair by age group, and by sex."
    )
    time_to_onset: TimeToOnset | None = Field(
        default=None,
        description="Days from drug to event; null if no case states the day of both.",
    )
    n_stating_dechallenge: int | None = Field(
        default=None,
        ge=0,
        description="Cases that say of the drug whether a reaction abated when it was stopped.",
    )
    n_positive_dechallenge: int | None = Field(
        default=None, ge=0, description="Of them, those in which it abated."
    )
    n_stating_rechallenge: int | None = Field(
        default=None,
        ge=0,
        description="Cases that say of the drug whether a reaction came back when it was resumed.",
    )
    n_positive_rechallenge: int | None = Field(
        default=None, ge=0, description="Of them, those in which it came back."
    )
    n_missing_lot: int | None = Field(
        default=None, ge=0, description="Cases of the pair that state no lot of the drug."
    )
    n_stating_onset: int | None = Field(
        default=None, ge=0, description="Cases that state the first day of the event."
    )
    n_late: int | None = Field(
        default=None,
        ge=0,
        description="Of them, those first received more than 90 days after it.",
    )
    first_onset: date | None = Field(
        default=None, description="Earliest onset of the event that a case states; null: none does."
    )
    last_onset: date | None = Field(default=None, description="The latest; likewise.")
    regions: tuple[str, ...] = Field(
        description="Regions the cases of the pair come from, sorted; those unknown left out."
    )
    n_by_professional: int | None = Field(
        default=None, ge=0, description="Cases of the pair reported by a health professional."
    )
    n_sources: int | None = Field(
        default=None,
        ge=0,
        description="Distinct sources they came from: senders, and each system of whose reports "
        "some state no sender, once. 1 of a database that states none says nothing.",
    )
    countries: tuple[str, ...] | None = Field(
        default=None,
        description="ISO 3166-1 alpha-2 of occurrence, else of the reporter, sorted; those not "
        "stated left out.",
    )
    dictionary_versions: tuple[str, ...] | None = Field(
        default=None,
        description="Dictionaries and versions that the reports of these cases code their events "
        "in, such as `MedDRA 27.0`, sorted; without a version where none is stated. Empty if no "
        "report names a dictionary.",
    )
    completeness: float | None = Field(
        default=None,
        ge=0,
        le=100,
        description="Median completeness of their reports [%]; null without a case.",
    )
    n_suspected_duplicates: int | None = Field(
        default=None, ge=0, description="Cases of the pair that may be duplicates; they count."
    )
    n_new: int | None = Field(
        default=None,
        ge=0,
        description="Cases counted now that `previous` did not count; null in the first revision, "
        "and if that had more cases than its `case_ids` names.",
    )
    n_removed_nullified: int | None = Field(
        default=None,
        ge=0,
        description="Cases that would be of the pair, as they last were, had they not been "
        "nullified. They are in no count.",
    )
    n_removed_duplicates: int | None = Field(
        default=None,
        ge=0,
        description="Cases that would be of the pair, had they not been linked as duplicates. They "
        "are in no count.",
    )
    n_post_notice: int | None = Field(
        default=None,
        ge=0,
        description="Cases first received after an authority first acted on the class of the "
        "product: its notice may have called them forth. Null if none did, as far as is known, or "
        "the product is of no class of the domain's vocabulary.",
    )
    burst: Burst | None = Field(
        default=None,
        description="Cases that came from one source on one day (from one system, where they state "
        "no sender), if they are at least 10 and half of the pair's; null if there is none, or no "
        "rule is on.",
    )
    indication_confounding: bool | None = Field(
        default=None,
        description="Whether the event is what was treated in at least half of the pair's cases "
        "that state an indication.",
    )
    restricted: Restricted | None = Field(
        default=None,
        description="The pair among cases of that indication; null unless "
        "`indication_confounding`, or if no rule is on.",
    )
    first_received: date | None = Field(description="Earliest first receipt among the cases.")
    last_received: date | None = Field(description="Latest first receipt among the cases.")
    case_ids: tuple[str, ...] = Field(
        description="The cases of the pair, sorted; the latest received 1,000 if there are more."
    )
    as_of: tuple[InputOffset, ...] = Field(
        description="Input the counts were made from: a batch recount of it gives these numbers."
    )
    code_version: str = Field(description="Version of Tocsin that computed it.")
    snapshot_id: str | None = Field(
        default=None,
        description="SHA-256 of `as_of`, window, day of evaluation, rules, policy, prior and code: "
        "alerts of one id say the same of counts, statistics and cases. It covers neither what was "
        "published before nor notices.",
    )
    assessment: Assessment | None = Field(
        default=None,
        description="Where the assessment of the signal stands. Null on `pv.alerts`; filled in for "
        "the authority tier alone, in what an installation with an audit log gives out.",
    )
