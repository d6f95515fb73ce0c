"""Record of notices and domain cases by the day they became known, for pages as of a day."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from threading import Lock

from schemas.delta import Delta
from schemas.notice import Notice
from schemas.product import normalise_lot
from schemas.report import Report
from streams.core.cases.domain_case import DomainCase, decode_domain_case
from streams.core.cases.levels import class_of_name
from streams.core.safety.subjects import in_order_of_receipt

__all__ = ["CaseChange", "SafetyRecord"]

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class CaseChange:
    """One change of a domain case.

    Attributes
    ----------
    day
        Day on which it became known.
    before, after
        Its counted forms; None if it was not, or is no longer, counted.
    reason
        Why it left the counts: `nullified`, `duplicate` or `withdrawn`; empty otherwise.
    """

    day: date
    case_id: str
    before: DomainCase | None
    after: DomainCase | None
    reason: str = ""


class SafetyRecord:
    """Keeps what became known of the domain's cases and subjects, each with its day.

    It may be read and added to by several threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._notices: dict[str, list[Notice]] = {}
        self._changes: list[CaseChange] = []  # in order of days
        self._current: dict[str, DomainCase] = {}
        self._typed: dict[tuple[str, str], list[tuple[date, str]]] = defaultdict(list)

    def add_notice(self, notice: Notice) -> None:
        """Add a notice; a repeated one changes nothing."""
        with self._lock:
            of_subject = self._notices.setdefault(notice.subject_id, [])
            if notice not in of_subject:
                of_subject.append(notice)

    def add_report(self, report: Report) -> None:
        """Add the spellings of the lots of the domain's products in a version of a case."""
        for product in report.products:
            lot = normalise_lot(product.lot)
            if product.lot and lot and _is_watched(product.product_class, product.verbatim):
                with self._lock:
                    self._typed[report.case_id, lot].append((report.latest_received, product.lot))

    def apply(self, delta: Delta) -> None:
        """Apply the changes of the counts that a range of reports caused."""
        counted = [
            (decode_domain_case(encoded), n)
            for encoded, n in delta.changes.select("watched", "n").iter_rows()
            if encoded
        ]
        if not counted:
            return
        removed = delta.removed.select("case_id", "reason", "n").iter_rows()
        reasons = {case_id: reason for case_id, reason, n in removed if n > 0}
        last: dict[str, DomainCase | None] = {}
        for case, n in counted:  # rows of one case are in the order of its versions
            last[case.case_id] = case if n > 0 else None
        day = _EPOCH + timedelta(days=delta.watermark)
        with self._lock:
            if self._changes:  # a late report is known from the day it came on
                day = max(day, self._changes[-1].day)
            for case_id, after in last.items():
                before = self._current.pop(case_id, None)
                if after is not None:
                    self._current[case_id] = after
                if after != before:
                    reason = reasons.get(case_id, "") if after is None else ""
                    self._changes.append(CaseChange(day, case_id, before, after, reason))

    def notices_on(self, day: date) -> Mapping[str, tuple[Notice, ...]]:
        """Return the notices received by a day by subject, in order of receipt.

        Of two contents under one id the later received is current.
        """
        with self._lock:
            found = {name: tuple(of_subject) for name, of_subject in self._notices.items()}
        known = {
            name: in_order_of_receipt(notice for notice in of_subject if notice.received <= day)
            for name, of_subject in sorted(found.items())
        }
        return {name: notices for name, notices in known.items() if notices}

    def cases_on(self, day: date) -> Mapping[str, DomainCase]:
        """Return the domain cases that were counted on a day, by case id."""
        found: dict[str, DomainCase] = {}
        for change in self.changes_until(day):
            if change.after is None:
                found.pop(change.case_id, None)
            else:
                found[change.case_id] = change.after
        return dict(sorted(found.items()))

    def changes_until(self, day: date) -> tuple[CaseChange, ...]:
        """Return the changes of domain cases up to a day, in order."""
        with self._lock:
            return tuple(change for change in self._changes if change.day <= day)

    def spellings(self, lot: str, case_ids: Iterable[str], day: date) -> tuple[str, ...]:
        """Return the spellings of a normalised lot in some cases up to a day, as typed."""
        with self._lock:
            return tuple(
                sorted(
                    {
                        typed
                        for case_id in case_ids
                        for received, typed in self._typed.get((case_id, lot), ())
                        if received <= day
                    }
                )
            )

    def last_notice(self) -> date | None:
        """Return the day of the latest notice; None without one."""
        with self._lock:
            days = (notice.received for one in self._notices.values() for notice in one)
            return max(days, default=None)


def _is_watched(product_class: str | None, verbatim: str | None) -> bool:
    return bool(class_of_name(product_class or "") or class_of_name(verbatim or ""))
