"""Safety monitor: revisions of safety alerts from cases and notices, independent of the counts.

Current findings (`findings.py`) are compared with the published alerts: an unchanged finding gives
nothing, a changed one a revision, and a withdrawn one a retraction.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.metadata import version
from urllib.parse import quote

from detectors.clusters import ClusterRule
from schemas.alert import InputOffset
from schemas.domain import domain_vocabulary
from schemas.notice import Notice
from schemas.safety_alert import AlertCategory, SafetyAlert, SafetyAlertKind
from schemas.watch_item import WatchItem
from streams.core.cases.domain_case import DomainCase, decode_domain_case
from streams.core.safety.findings import SafetyFinding, actions, cluster_rules, findings
from streams.core.safety.follow_up_questions import watch_items
from streams.core.safety.reporting_duties import LawTable, duty_line, law_table
from streams.core.safety.sports_rules import UsageRules, usage_rules
from streams.core.safety.subjects import KnownOnDay

__all__ = ["SafetyMonitor"]

_CODE_VERSION = version("tocsin")
# Fields that decide whether there is a revision; the others are constant, or follow from these.
_FACTS = (
    "urgent", "terms", "countries", "case_ids", "patients", "n_verified", "n_by_professional",
    "verification", "stated", "first_day", "lots", "facilities", "flags", "duty",
)  # fmt: skip
_WHAT = {
    AlertCategory.LOT_CLUSTER: "serious reactions share one lot",
    AlertCategory.FACILITY_CLUSTER: "serious reactions share one facility, and no lot",
    AlertCategory.MANUFACTURER_CLUSTER: "serious reactions share one manufacturer, and no lot",
    AlertCategory.DISTRIBUTOR_CLUSTER: "serious reactions share one distributor, and no lot",
    AlertCategory.CASE_SERIES: "several patients are told of",
    AlertCategory.UNVERIFIED_FATAL: "deaths are told of that no report confirms",
    AlertCategory.FATAL_CASE: "a death was reported",
    AlertCategory.ONGOING_EXPOSURE: "the product is still being given",
    AlertCategory.USAGE_RULE: "an infusion possibly breaks a rule of sport",
    AlertCategory.FOLLOW_UP_OVERDUE: "an answer is overdue",
}
_STATE = {
    "contested": "It is contested: it could be neither confirmed nor refuted",
    "rumour": "It is a rumour",
    "reported": "It is told of, and not verified",
    "refuted": "It was refuted on evidence",
    "unresolvable": "It cannot be resolved",
}


class SafetyMonitor:
    """Keeps the domain cases, the notices, and the published safety alerts.

    Parameters
    ----------
    clusters, usage, law
        Rules and tables; those that are shipped by default.
    """

    def __init__(
        self,
        clusters: Sequence[ClusterRule] | None = None,
        usage: UsageRules | None = None,
        law: LawTable | None = None,
    ) -> None:
        self._clusters = cluster_rules() if clusters is None else tuple(clusters)
        self._usage = usage or usage_rules()
        self._law = law or law_table()
        self._cases: dict[str, DomainCase] = {}
        self._notices: dict[str, dict[str, Notice]] = {}
        self._published: dict[str, SafetyAlert] = {}
        self._changed = False
        self._next: date | None = None  # the next day on which time alone changes something

    def count(self, changes: Iterable[tuple[str, int]]) -> None:
        """Apply changes of domain cases: each encoded, and +1 (it is current) or -1."""
        for encoded, n in changes:
            case = decode_domain_case(encoded)
            if n > 0:
                self._cases[case.case_id] = case
            elif self._cases.get(case.case_id) == case:
                del self._cases[case.case_id]
            self._changed = True

    def apply_notice(self, notice: Notice) -> None:
        """Apply a notice; of two contents under one id the later received is current."""
        of_subject = self._notices.setdefault(notice.subject_id, {})
        current = of_subject.get(notice.notice_id)
        if current is None or _content(notice) > _content(current):
            of_subject[notice.notice_id] = notice
            self._changed = True

    def restore(self, published: Iterable[SafetyAlert]) -> None:
        """Restore the published state from the latest alert of each signal key."""
        self._published = {alert.signal_key: alert for alert in published}
        self._changed = True

    @property
    def next_day(self) -> date | None:
        """Return the next day with a change due without new input; None: no such day."""
        return self._next

    @property
    def cases(self) -> tuple[DomainCase, ...]:
        """Return the current domain cases, by case id."""
        return tuple(case for _, case in sorted(self._cases.items()))

    def cases_among(self, case_ids: Iterable[str]) -> list[DomainCase]:
        """Return the current domain cases with these ids, in order of id."""
        if not self._cases:
            return []
        return [self._cases[case_id] for case_id in sorted(self._cases.keys() & set(case_ids))]

    def known_on(self, day: date) -> KnownOnDay:
        """Return the notices received by a day, the regulatory actions among them, and the law."""
        received = {
            subject: tuple(n for _, n in sorted(of_subject.items()) if n.received <= day)
            for subject, of_subject in sorted(self._notices.items())
        }
        known = {subject: notices for subject, notices in received.items() if notices}
        return KnownOnDay(day=day, notices=known, acted=actions(known), law=self._law)

    def items(self, day: date) -> Iterator[WatchItem]:
        """Yield the single cases with follow-up questions and no alert yet."""
        clustered = {
            case_id
            for alert in self._published.values()
            if alert.category.endswith("_CLUSTER") and alert.kind not in _ENDED
            for case_id in alert.case_ids
        }
        return watch_items(self._cases.values(), clustered, day)

    def evaluate(self, day: date, as_of: Sequence[InputOffset]) -> list[SafetyAlert]:
        """Return the revisions that are due, in order of signal key."""
        if not self._changed and (self._next is None or day < self._next):
            return []
        self._changed = False
        notices = {name: tuple(of.values()) for name, of in self._notices.items()}
        current = {
            _key(finding): finding
            for finding in findings(
                self._cases.values(), notices, day, clusters=self._clusters, usage=self._usage
            )
        }
        # A notice of a later day becomes known then; an answer is overdue the day after its day.
        later = [
            moment
            for of_subject in notices.values()
            for notice in of_subject
            for moment in (notice.received, _after(notice.followup_due))
            if moment is not None and moment > day
        ]
        self._next = min(later, default=None)
        revisions = []
        for key in sorted(current.keys() | self._published.keys()):
            revision = self._revise(
                key, current.get(key), self._published.get(key), day, tuple(as_of)
            )
            if revision is not None:
                self._published[key] = revision
                revisions.append(revision)
        return revisions

    def _revise(
        self,
        key: str,
        finding: SafetyFinding | None,
        before: SafetyAlert | None,
        day: date,
        as_of: tuple[InputOffset, ...],
    ) -> SafetyAlert | None:
        """Return the next revision of a signal; None if nothing changed."""
        ended = before is not None and before.kind in _ENDED
        if finding is None:
            if before is None or ended:
                return None
            answered = before.category is AlertCategory.FOLLOW_UP_OVERDUE
            kind = SafetyAlertKind.CLOSED if answered else SafetyAlertKind.RETRACTION
            reason = "it was answered" if answered else "what it rested on was withdrawn"
            return _next(before, kind, reason, day, as_of)
        alert = self._alert(key, finding, day, as_of)
        if before is None:
            # A finding that ended before it was published needs no alert.
            return None if finding.closing else alert
        change = _change(before, alert, finding, ended=ended)
        if change is None:
            return None
        revision = before.revision + 1
        kind, reason = change
        return alert.model_copy(
            update={
                "alert_id": _alert_id(key, revision),
                "revision": revision,
                "kind": kind,
                "reason": reason,
            }
        )

    def _alert(
        self, key: str, finding: SafetyFinding, day: date, as_of: tuple[InputOffset, ...]
    ) -> SafetyAlert:
        return SafetyAlert(
            category=finding.category,
            alert_id=_alert_id(key, 1),
            signal_key=key,
            revision=1,
            kind=SafetyAlertKind.NEW,
            urgent=finding.urgent,
            reason="it was not known before",
            sentence=_sentence(finding),
            subject=finding.subject[-1],
            product_class=finding.product_class,
            terms=finding.terms,
            families=finding.families,
            countries=finding.countries,
            case_ids=finding.case_ids,
            patients=finding.patients,
            n_verified=finding.n_verified,
            n_by_professional=finding.n_by_professional,
            verification=finding.verification,
            stated=finding.stated,
            first_day=finding.first_day,
            last_day=finding.last_day,
            lots=finding.lots,
            facilities=finding.facilities,
            flags=finding.flags,
            duty=self._duties(finding, day),
            law_version=self._law.version if finding.product_class else None,
            evaluated_on=day,
            as_of=as_of,
            code_version=_CODE_VERSION,
        )

    def _duties(self, finding: SafetyFinding, day: date) -> tuple[str, ...]:
        if finding.product_class is None:
            return ()
        places = finding.countries
        if finding.category is AlertCategory.USAGE_RULE:
            places = (*places, "sport")
        return tuple(
            duty_line(
                place,
                self._law.frames_for(place, finding.product_class, finding.supply_route, day),
            )
            for place in places
        )


_ENDED = {SafetyAlertKind.CLOSED, SafetyAlertKind.RETRACTION}


@dataclass(frozen=True, slots=True)
class _Size:
    patients: int
    cases: int
    lots: int
    facilities: int

    @classmethod
    def of(cls, alert: SafetyAlert) -> "_Size":
        patients = alert.patients.at_least if alert.patients else 0
        return cls(patients, len(alert.case_ids), len(alert.lots), len(alert.facilities))


def _change(
    before: SafetyAlert, alert: SafetyAlert, finding: SafetyFinding, *, ended: bool
) -> tuple[SafetyAlertKind, str] | None:
    if finding.closing:
        return None if ended else (SafetyAlertKind.CLOSED, finding.closing)
    if ended:
        return SafetyAlertKind.STRENGTHENED, "it stands again"
    # A change of the law alone is no reason for a revision; the next one states it.
    changed = [
        name for name in _FACTS if name != "duty" and getattr(before, name) != getattr(alert, name)
    ]
    if not changed:
        return None
    was, now = _Size.of(before), _Size.of(alert)
    said = ", ".join(
        f"{name} {old} to {new}"
        for name in ("patients", "cases", "lots", "facilities")
        if (old := getattr(was, name)) != (new := getattr(now, name))
    )
    said = said or f"new: {', '.join(changed).replace('_', ' ')}"
    if (now.patients, now.cases) > (was.patients, was.cases):
        return SafetyAlertKind.STRENGTHENED, said
    if (now.patients, now.cases) < (was.patients, was.cases):
        return SafetyAlertKind.WEAKENED, said
    return SafetyAlertKind.UPDATE, said


def _next(
    before: SafetyAlert,
    kind: SafetyAlertKind,
    reason: str,
    day: date,
    as_of: tuple[InputOffset, ...],
) -> SafetyAlert:
    revision = before.revision + 1
    return before.model_copy(
        update={
            "alert_id": _alert_id(before.signal_key, revision),
            "revision": revision,
            "kind": kind,
            "reason": reason,
            "evaluated_on": day,
            "as_of": as_of,
            "code_version": _CODE_VERSION,
        }
    )


def _after(day: date | None) -> date | None:
    return None if day is None else day + timedelta(days=1)


def _key(finding: SafetyFinding) -> str:
    return "|".join(quote(part, safe=" ") for part in (finding.category, *finding.subject))


def _alert_id(key: str, revision: int) -> str:
    return hashlib.sha256(f"{key}\n{revision}".encode()).hexdigest()[:32]


def _sentence(finding: SafetyFinding) -> str:
    """Return the sentence of a finding in plain words: no cause, no name of a clinic, no lot."""
    what = _WHAT[finding.category]
    named = domain_vocabulary().classes.get(finding.product_class or "")
    of_what = f" after {named.label}" if named else ""
    terms = f": {', '.join(finding.terms)}" if finding.terms else ""
    parts = [f"{what[0].upper()}{what[1:]}{of_what}{terms}{finding.note}"]
    if finding.patients is not None:
        number = f"{finding.patients.at_least}"
        if not finding.patients.exact:
            number = f"at least {number}"
        parts.append(f"{number} patients, {finding.n_verified} with a valid report")
    elif finding.case_ids:
        n, places = len(finding.case_ids), len(finding.facilities)
        where = f" from {places} {'facility' if places == 1 else 'facilities'}" if places else ""
        parts.append(f"{n} {'case' if n == 1 else 'cases'}{where}")
    if finding.verification is not None and (state := _STATE.get(finding.verification.value)):
        parts.append(state)
    return ". ".join(parts) + "."


def _content(notice: Notice) -> tuple[date, str]:
    return notice.received, notice.model_dump_json()
