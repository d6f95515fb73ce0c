"""Safety monitor: revisions of safety alerts from cases and notices, independent of the counts.

Current findings (`findings.py`) are compared with the published alerts: an unchanged finding gives
nothing, a changed one a revision, and a withdrawn one a retraction.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from importlib.metadata import version
from urllib.parse import quote

from detectors.clusters import ClusterRule
from schemas.alert import InputOffset
from schemas.notice import Notice, Verdict
from schemas.safety_alert import AlertCategory, EndReason, SafetyAlert, SafetyAlertKind
from schemas.watch_item import WatchItem
from streams.core.cases.domain_case import DomainCase, decode_domain_case
from streams.core.safety.endings import ENDED, final_facts
from streams.core.safety.findings import actions, cluster_rules, findings
from streams.core.safety.follow_up_questions import watch_items
from streams.core.safety.reporting_duties import LawTable, duty_lines, law_table
from streams.core.safety.revisions import (
    alert_id_of,
    changes_between,
    completed,
    kind_of_change,
)
from streams.core.safety.safety_finding import SafetyFinding
from streams.core.safety.same_cases import one_alert_for_same_cases
from streams.core.safety.sports_rules import UsageRules, usage_rules
from streams.core.safety.subjects import KnownOnDay
from streams.core.wording.duties import law_table_line

__all__ = ["SafetyMonitor"]

_CODE_VERSION = version("tocsin")
# Fields of a finding that an alert has under the same name.
_FIELDS = tuple(
    name
    for name in SafetyFinding.__dataclass_fields__
    if name in SafetyAlert.model_fields and name != "subject"
)


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
            if alert.category.endswith("_CLUSTER") and alert.kind not in ENDED
            for case_id in alert.case_ids
        }
        return watch_items(self._cases.values(), clustered, day)

    def evaluate(self, day: date, as_of: Sequence[InputOffset]) -> list[SafetyAlert]:
        """Return the revisions that are due, in order of signal key."""
        if not self._changed and (self._next is None or day < self._next):
            return []
        self._changed = False
        notices = {name: tuple(of.values()) for name, of in self._notices.items()}
        found = {
            _key(finding): finding
            for finding in findings(
                self._cases.values(), notices, day, clusters=self._clusters, usage=self._usage
            )
        }
        current = one_alert_for_same_cases(found, self._is_open)
        # A notice of a later day becomes known then; an answer is overdue the day after its day.
        later = [
            moment
            for of_subject in notices.values()
            for notice in of_subject
            for moment in (notice.received, _after(notice.followup_due))
            if moment is not None and moment > day
        ]
        self._next = min(later, default=None)
        known = self.known_on(day)
        revisions = []
        for key in sorted(current.keys() | self._published.keys()):
            before = self._published.get(key)
            if key in current:
                revision = self._of_finding(key, current[key], before, day, tuple(as_of))
            elif before is not None and before.kind not in ENDED:
                facts = final_facts(
                    before, self._cases, known.notices, current.values(), known.acted
                )
                revision = _end(before, facts, day, tuple(as_of))
            else:
                continue
            if revision is not None:
                self._published[key] = revision
                revisions.append(revision)
        return revisions

    def _is_open(self, key: str) -> bool:
        published = self._published.get(key)
        return published is not None and published.kind not in ENDED

    def _of_finding(
        self,
        key: str,
        finding: SafetyFinding,
        before: SafetyAlert | None,
        day: date,
        as_of: tuple[InputOffset, ...],
    ) -> SafetyAlert | None:
        """Return the next revision of an alert; None if nothing changed."""
        if finding.ended_because is not None and (before is None or before.kind in ENDED):
            # A finding that ended before it was published needs no alert.
            return None
        alert = self._alert(key, finding, day, as_of)
        if before is None:
            return completed(alert, SafetyAlertKind.NEW, None)
        if finding.ended_because is not None:
            return completed(alert, SafetyAlertKind.CLOSED, before)
        if before.kind in ENDED:
            return completed(alert, SafetyAlertKind.STRENGTHENED, before)
        if not changes_between(before, alert):
            return None
        return completed(alert, kind_of_change(before, alert), before)

    def _alert(
        self, key: str, finding: SafetyFinding, day: date, as_of: tuple[InputOffset, ...]
    ) -> SafetyAlert:
        """Return the facts of an alert; `completed` adds what follows from them."""
        settled = finding.ended_because is EndReason.SETTLED
        verdicts = [said.on for said in finding.stated if said.said in set(Verdict)]
        return SafetyAlert(
            **{name: getattr(finding, name) for name in _FIELDS},
            alert_id=alert_id_of(key, 1),
            signal_key=key,
            revision=1,
            kind=SafetyAlertKind.NEW,
            reason="",
            sentence="",
            subject=finding.subject[-1],
            ended_on=verdicts[-1] if settled else None,
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
        lines = [
            line
            for place in places
            for line in duty_lines(
                place,
                self._law.frames_for(place, finding.product_class, finding.supply_route, day),
            )
        ]
        return (*lines, law_table_line(self._law.version)) if lines else ()


def _end(
    before: SafetyAlert, facts: Mapping[str, object], day: date, as_of: tuple[InputOffset, ...]
) -> SafetyAlert:
    """Return the revision that ends an alert, in its final state."""
    answered = before.category is AlertCategory.FOLLOW_UP_OVERDUE
    final = before.model_copy(
        update={
            **facts,
            "evaluated_on": day,
            "as_of": as_of,
            "code_version": _CODE_VERSION,
        }
    )
    kind = SafetyAlertKind.CLOSED if answered else SafetyAlertKind.RETRACTION
    return completed(final, kind, before)


def _after(day: date | None) -> date | None:
    return None if day is None else day + timedelta(days=1)


def _key(finding: SafetyFinding) -> str:
    return "|".join(quote(part, safe=" ") for part in (finding.category, *finding.subject))


def _content(notice: Notice) -> tuple[date, str]:
    return notice.received, notice.model_dump_json()
