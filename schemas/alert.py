"""One revision of one alert, as it travels on `pv.alerts`."""

from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas.alert_reason import AlertKind, AlertReason, SignalGrade, SignalLevel
from schemas.base import Message
from schemas.calibration import Calibration
from schemas.clinical import PatientGroups, TimeToOnset
from schemas.context import Context
from schemas.decision import Assessment
from schemas.priority import Priority
from schemas.rule_outcome import RuleOutcome
from schemas.scrutiny import Burst, ExplainedBy, Restricted
from schemas.strata import Strata
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
    "SignalGrade",
    "SignalLevel",
    "Statistics",
    "Window",
    "WindowKind",
]

ALERT_SCHEMA_VERSION = "1.0"
"""Version of the alert schema. Changes are additive within a major number."""

CAVEAT = (
    "Disproportionate reporting is a reason to review the cases. It does not show that the product "
    "caused the event. Counts are reports, not how often the event occurs."
)
"""The limitation stated in every alert."""


class WindowKind(StrEnum):
    """Kind of an event-time window."""

    CUMULATIVE = "cumulative"
    MONTH = "month"
    QUARTER = "quarter"
    SLIDING = "sliding"


class Window(Message):
    """The days whose cases are counted, both ends included."""

    kind: WindowKind = Field(description="Kind of an event-time window.")
    label: str = Field(description="`cumulative`, `2024-05`, `2024-Q2`, or `sliding-365d`.")
    first_day: date | None = Field(description="First day; null if open to the past.")
    last_day: date = Field(description="Last day; the day of evaluation in a moving window.")


class Previous(Message):
    """The published revision that this one replaces."""

    revision: int = Field(ge=1, description="Its number.")
    kind: AlertKind = Field(description="Its kind.")
    evaluated_on: date = Field(description="Its day of evaluation.")
    n_observed: int = Field(ge=0, description="Its count of cases.")
    ror_lower: float | None = Field(description="Its lower bound of the reporting odds ratio.")
    ic_lower: float | None = Field(description="Its IC025.")
    rules_fired: tuple[str, ...] = Field(description="The rules that were on then.")
    grade: SignalGrade = Field(
        default=SignalGrade.ALARM, description="Its grade; `alarm` if it was published without one."
    )
    any_fatal: bool | None = Field(
        default=None,
        description="Whether it had a fatal case. Null in alerts of older versions, as are the "
        "other fields of what its cases were.",
    )
    any_paediatric: bool | None = Field(
        default=None, description="Whether it had a case under 18 years."
    )
    regions: tuple[str, ...] | None = Field(
        default=None, description="Regions its cases came from, sorted."
    )
    due: date | None = Field(
        default=None, description="Its day `due`; null if it was published without one."
    )


class InputOffset(Message):
    """Next offset of one input partition when the counts were taken."""

    topic: str = Field(description="Topic the reports came from.")
    partition: int = Field(ge=0, description="Partition of that topic.")
    next_offset: int = Field(ge=0, description="Every message before this offset is counted.")


class Alert(Message):
    """One revision of one alert on a signal of disproportionate reporting."""

    schema_version: Literal["1.0"] = Field(
        default="1.0", description="Version of this schema; additive within a major number."
    )
    alert_id: str = Field(
        description="Unique to this revision, derived from signal key, rules, policy and revision "
        "number: a repeat is recognisable for ever."
    )
    signal_key: str = Field(
        description="The same in every revision: `drug|event|window` in normal form, each part "
        "percent-encoded."
    )
    revision: int = Field(ge=1, description="1, 2, 3 ... within the signal key, without gaps.")
    kind: AlertKind = Field(
        description="What happened to the signal. `closed` and `retraction` turn it off, whatever "
        "its assessment state: `rules_fired` says whether it is on."
    )
    reason: str = Field(description="Why this revision was published, in one line of words.")
    reasons: tuple[AlertReason, ...] = Field(
        description="The same as codes: every reason that applies, most important first.",
        min_length=1,
    )
    headline: str = Field(
        default="",
        description="Event, product and what happened, in one line: `sentence` begins with it. "
        "Empty in alerts of older versions.",
    )
    sentence: str = Field(
        description="The alert in plain words, for people: its wording is no contract."
    )
    caveat: str = Field(default=CAVEAT, description="Limits of what the alert states.")
    drug: str = Field(description="Product of the pair, in its most frequent spelling.")
    event: str = Field(description="Event of the pair, in its most frequent spelling.")
    level: SignalLevel = Field(
        default=SignalLevel.PRODUCT,
        description="Aggregation level of the signal, from its drug and event.",
    )
    grade: SignalGrade = Field(
        default=SignalGrade.ALARM,
        description="`alarm` while a rule of that grade is on, else `screening`; of a signal that "
        "is off, the grade of the revision before. Alerts without the field are of the time before "
        "there were grades, when every rule was the alarm's.",
    )
    urgent: bool = Field(
        default=False,
        description="Whether it bypasses every digest: it is new, or published for a fatal case or "
        "an event that the policy designates.",
    )
    priority: Priority | None = Field(
        default=None, description="Priority for assessment, with the parts of its score."
    )
    next_step: str = Field(default="", description="Next step for the assessor, in words.")
    due: date | None = Field(
        default=None,
        description="Event-time day by which the next step is due, if nobody has decided on the "
        "signal: the earliest `own_due` since the signal began, ended or was reopened. It knows no "
        "decisions: `assessment.due` does. Null in alerts of older versions.",
    )
    own_due: date | None = Field(
        default=None,
        description="Day by which the next step of this revision alone is due: days of its kind, "
        "or of urgent alerts, after `evaluated_on`. Null if it asks for nothing, and in alerts of "
        "older versions.",
    )
    context: Context | None = Field(
        default=None,
        description="Context of the signal; null unless its product belongs to the domain.",
    )
    window: Window = Field(description="The days counted.")
    evaluated_on: date = Field(description="Event-time day of the evaluation, not a clock reading.")
    counts: Counts = Field(description="The 2x2 table.")
    statistics: Statistics = Field(description="Statistics computed from `counts`.")
    unbounded: tuple[str, ...] | None = Field(
        default=None,
        description="Names of `statistics` that are null because they are unbounded, such as `ror` "
        "where no other product has the event; other nulls are undefined. Null in alerts of older "
        "versions.",
    )
    rules: tuple[RuleOutcome, ...] = Field(description="Every rule evaluated, with its outcome.")
    rules_fired: tuple[str, ...] = Field(
        description="Names of the rules that are on, sorted; none if the signal is off."
    )
    rules_hash: str = Field(description="SHA-256 of the rules, their exits and their lists.")
    policy_hash: str = Field(description="SHA-256 of the re-alert policy.")
    strata: Strata | None = Field(
        default=None, description="Strata of the adjusted and blocked statistics."
    )
    prior_id: str | None = Field(
        default=None, description="Id of the prior used for EBGM; null if none."
    )
    prior_id_adjusted: str | None = Field(
        default=None,
        description="Id of the prior used for EBGM within strata (`ebgm_adjusted`); null if none.",
    )
    test_recomputed: bool | None = Field(
        default=None,
        description="Whether a past day was corrected after the anytime-valid test had counted it, "
        "which breaks the order its guarantee assumes; null if no rule uses the test.",
    )
    calibration: Calibration | None = Field(
        default=None,
        description="The pair against the installation's negative controls; null if it names none.",
    )
    previous: Previous | None = Field(
        description="The revision that this one replaces; null in the first."
    )
    first_alert_on: date | None = Field(
        default=None,
        description="Day of evaluation of the first revision of the signal. Null in alerts of "
        "older versions, and in later revisions of a signal whose first ones were such.",
    )
    first_alarm_on: date | None = Field(
        default=None,
        description="Likewise of its first revision with the grade `alarm`; null if it never was "
        "one.",
    )
    n_drug_recent: int | None = Field(
        default=None,
        ge=0,
        description="Cases of `counts.n_drug` first received in the 182 days up to `evaluated_on`. "
        "Null outside the cumulative window, and in alerts of older versions.",
    )
    n_comparators: int | None = Field(
        default=None,
        ge=0,
        description="Cases of `counts.n_total` without the drug, in those strata of "
        "`expected_adjusted` that hold a case of the pair. Where they are few, the cases expected "
        "there are mostly the drug's own. Null in alerts of older versions.",
    )
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
        default=None, ge=0, description="Of those cases, the ones with a positive dechallenge."
    )
    n_stating_rechallenge: int | None = Field(
        default=None,
        ge=0,
        description="Cases that say of the drug whether a reaction came back when it was resumed.",
    )
    n_positive_rechallenge: int | None = Field(
        default=None, ge=0, description="Of those cases, the ones with a positive rechallenge."
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
    n_removed_withdrawn: int | None = Field(
        default=None,
        ge=0,
        description="Cases that would be of the pair, had a newer release of their source not "
        "dropped them. They are in no count.",
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
    explained_by: tuple[ExplainedBy, ...] | None = Field(
        default=None,
        description="Other products that explain the pair, by share and then name; empty: none "
        "does. Null if no rule is on, of a class, lot, facility or family, and in alerts of older "
        "versions.",
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
        description="SHA-256 of `as_of`, window, day of evaluation, rules, policy, priors and "
        "code: alerts of one id say the same of counts, statistics and cases. It covers neither "
        "what was published before nor notices nor negative controls.",
    )
    assessment: Assessment | None = Field(
        default=None,
        description="Assessment state of the signal. Null on `pv.alerts`; filled in for "
        "the authority tier alone, in what an installation with an audit log gives out.",
    )
