"""Record of notices and domain cases by the day they became known, for pages as of a day."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from threading import Lock

from schemas.delta import Delta
from schemas.notice import Notice
from schemas.product import Product, normalise_lot
from schemas.report import Report
from schemas.vocabulary import LinkKind
from streams.core.cases.domain_case import DomainCase, decode_domain_case
from streams.core.cases.levels import class_of_name
from streams.core.safety.subjects import in_order_of_receipt

__all__ = ["CaseChange", "DuplicateReport", "SafetyRecord"]

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class CaseChange:
    """One change of a domain case.

    Attributes
    ----------
    day
        Day on which it became known.
    case
        Its form since then; of one that is not counted, the form in which it would be.
    was_counted, counted
        Whether it was counted before, and is since then.
    reason
        Why it is not counted: `nullified`, `duplicate` or `withdrawn`; empty if it counts.
    """

    day: date
    case: DomainCase
    was_counted: bool
    counted: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DuplicateReport:
    """A report that states that it is a duplicate of another case, and does not count."""

    day: date
    case_id: str
    duplicate_of: str


class SafetyRecord:
    """Keeps what became known of the domain's cases and subjects, each with its day.

    It may be read and added to by several threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._notices: dict[str, list[Notice]] = {}
        self._changes: list[CaseChange] = []  # in order of days
        self._current: dict[str, DomainCase] = {}
        self._duplicates: list[DuplicateReport] = []
        self._typed: dict[tuple[str, str], list[tuple[date, str]]] = defaultdict(list)

    def add_notice(self, notice: Notice) -> None:
        """Add a notice; a repeated one changes nothing."""
        with self._lock:
            of_subject = self._notices.setdefault(notice.subject_id, [])
            if notice not in of_subject:
                of_subject.append(notice)

    def add_report(self, report: Report) -> None:
        """Add what counts do not keep of a report of the domain: lots as typed, its duplicates."""
        day = report.latest_received
        watched = [product for product in report.products if _is_watched(product)]
        if not watched:
            return
        with self._lock:
            for product in watched:
                if product.lot and (lot := normalise_lot(product.lot)):
                    self._typed[report.case_id, lot].append((day, product.lot))
            self._duplicates += [
                DuplicateReport(day, report.case_id, link.case_id)
                for link in report.links
                if link.kind is LinkKind.DUPLICATE_OF
            ]

    def apply(self, delta: Delta) -> None:
        """Apply the changes of the counts that a range of reports caused."""
        last: dict[str, tuple[DomainCase, str | None]] = {}
        for encoded, n in delta.changes.select("watched", "n").iter_rows():
            if encoded:  # rows of one case are in the order of its versions
                case = decode_domain_case(encoded)
                last[case.case_id] = case, "" if n > 0 else None
        for encoded, reason, n in delta.removed.select("watched", "reason", "n").iter_rows():
            if encoded and n > 0:
                case = decode_domain_case(encoded)
                if last.get(case.case_id, (case, None))[1] is None:
                    last[case.case_id] = case, reason
        day = _EPOCH + timedelta(days=delta.watermark)
        with self._lock:
            if self._changes:  # a late report is known from the day it came on
                day = max(day, self._changes[-1].day)
            for case, reason in last.values():
                self._change(day, case, reason)

    def _change(self, day: date, case: DomainCase, reason: str | None) -> None:
        before = self._current.pop(case.case_id, None)
        if counted := reason == "":
            self._current[case.case_id] = case
        if not counted or case != before:
            self._changes.append(CaseChange(day, case, before is not None, counted, reason or ""))

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
            found.pop(change.case.case_id, None)
            if change.counted:
                found[change.case.case_id] = change.case
        return dict(sorted(found.items()))

    def changes_until(self, day: date) -> tuple[CaseChange, ...]:
        """Return the changes of domain cases up to a day, in order."""
        with self._lock:
            return tuple(change for change in self._changes if change.day <= day)

    def duplicates_until(self, day: date) -> tuple[DuplicateReport, ...]:
        """Return the reports up to a day that state that they are duplicates, in order."""
        with self._lock:
            return tuple(one for one in self._duplicates if one.day <= day)

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


def _is_watched(product: Product) -> bool:
    return bool(class_of_name(product.product_class or "") or class_of_name(product.verbatim or ""))
