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

    @property
    def sentence(self) -> str:
        """Return the reason in words."""
        return _REASONS[self]


_REASONS = {
    AlertReason.FIRST: "a rule fires for the first time",
    AlertReason.CASES_RETRACTED: "cases were retracted",
    AlertReason.NO_RULE_ON: "no rule is on any more",
    AlertReason.NO_LONGER_ALARM: "no rule of the alarm is on any more, only rules of the screening",
    AlertReason.RULE_OFF: "a rule that was on is past its exit",
    AlertReason.RULE_DROPPED: "a rule that was on is no longer asked",
    AlertReason.REOPENED: "a rule fires again after the signal had gone",
    AlertReason.FIRST_FATAL: "the first fatal case",
    AlertReason.FIRST_DESIGNATED: "the first case with a designated event",
    AlertReason.NOW_ALARM: "a rule of the alarm is on, where only rules of the screening were",
    AlertReason.EXPOSURE_ONGOING: "the product is still being given",
    AlertReason.VERIFICATION_CHANGED: "a rumour or series it belongs to was confirmed or refuted",
    AlertReason.FURTHER_RULE: "a further rule fires",
    AlertReason.MORE_CASES: "many more cases than last published",
    AlertReason.IC_ROSE: "IC025 rose much since last published",
    AlertReason.FIRST_PAEDIATRIC: "the first case of a child",
    AlertReason.NEW_REGION: "the first case of a region",
    AlertReason.NEW_COUNTRY: "the first case of a country",
    AlertReason.NEW_LOT: "the first case of a lot",
    AlertReason.NEW_FACILITY: "the first case of a facility",
    AlertReason.FACTS_WITHDRAWN: "no fatal case, child, region, country, lot or facility is left "
    "that there was",
}


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
