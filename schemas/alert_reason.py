"""Level and grade of a signal, kind of its revision, and reasons to publish a revision."""

from enum import StrEnum

__all__ = ["AlertKind", "AlertReason", "SignalGrade", "SignalLevel"]


class AlertKind(StrEnum):
    """Change of the signal of disproportionate reporting since its last revision."""

    NEW = "new"  # a rule fires for this signal for the first time
    STRENGTHENED = "strengthened"  # substantial new evidence, or it is on again
    WEAKENED = "weakened"  # a rule went off, or cases were retracted; the signal is on
    UPDATE = "update"  # an earlier revision is corrected; the signal is no weaker and no stronger
    RETRACTION = "retraction"  # off, because cases were retracted
    CLOSED = "closed"  # off: no rule is on any more


class AlertReason(StrEnum):
    """Reason to publish a revision, most important first."""

    FIRST = "first"
    CASES_RETRACTED = "cases_retracted"
    NO_RULE_ON = "no_rule_on"
    NO_LONGER_ALARM = "no_longer_alarm"
    RULE_OFF = "rule_off"
    RULE_DROPPED = "rule_dropped"
    REOPENED = "reopened"
    FIRST_FATAL = "first_fatal"
    FIRST_DESIGNATED = "first_designated"
    NOW_ALARM = "now_alarm"
    EXPOSURE_ONGOING = "exposure_ongoing"
    VERIFICATION_CHANGED = "verification_changed"
    FURTHER_RULE = "further_rule"
    MORE_CASES = "more_cases"
    IC_ROSE = "ic_rose"
    FIRST_PAEDIATRIC = "first_paediatric"
    NEW_REGION = "new_region"
    NEW_COUNTRY = "new_country"
    NEW_LOT = "new_lot"
    NEW_FACILITY = "new_facility"
    FACTS_WITHDRAWN = "facts_withdrawn"


class SignalGrade(StrEnum):
    """Grade of a signal, and of each rule: whose attention it asks for."""

    ALARM = "alarm"  # strict rules, few false alarms: for everyone who receives alerts
    SCREENING = "screening"  # wider rules, many false alarms: for those who screen


class SignalLevel(StrEnum):
    """Aggregation level of a signal. Each level has its own signal keys."""

    PRODUCT = "product"  # a substance, or a product by its name
    CLASS = "class"  # a class of the domain's vocabulary, with those under it
    LOT = "lot"  # `drug` is `lot:` and the lot, normalised
    FACILITY = "facility"  # `drug` is `facility:` and the pseudonym
    FAMILY = "family"  # a class; `event` is `family:` and a hazard family
