"""Ends of safety alerts that have no finding any more: why, and what is left."""

from datetime import date, timedelta

import pytest

from schemas.notice import Notice, NoticeKind, Patients, Usage, Verdict, VerificationEvent
from schemas.safety_alert import EndReason, SafetyAlert
from streams.core.cases.domain_case import DomainCase, encode_domain_case
from streams.core.safety.monitor import SafetyMonitor
from tests.support.alerts import AS_OF
from tests.support.safety_histories import make_case

DAY = date(2024, 3, 1)
LATER = DAY + timedelta(days=9)


def note(number: str, kind: NoticeKind, received: date = DAY, **fields: object) -> Notice:
    values = {
        "notice_id": number,
        "subject_id": "R|1",  # a name that the signal key encodes
        "kind": kind,
        "received": received,
        "source": "press",
        "product_class": "cell-product",
    }
    return Notice.model_validate({**values, **fields})


def ended(
    before: tuple[DomainCase | Notice, ...], after: tuple[DomainCase | Notice | str, ...]
) -> dict[str, SafetyAlert]:
    """Return the ended alerts by category; a name in `after` is a case that is withdrawn."""
    monitor = SafetyMonitor()
    current = {case.case_id: case for case in before if isinstance(case, DomainCase)}
    other = make_case("X", DAY, lots=["L9"])  # of no alert
    monitor.count((encode_domain_case(case), 1) for case in (other, *current.values()))
    for notice in before:
        if isinstance(notice, Notice):
            monitor.apply_notice(notice)
    assert monitor.evaluate(DAY + timedelta(days=2), AS_OF)
    for change in after:
        if isinstance(change, Notice):
            monitor.apply_notice(change)
            continue
        case_id = change if isinstance(change, str) else change.case_id
        monitor.count([(encode_domain_case(current[case_id]), -1)])
        if isinstance(change, DomainCase):
            monitor.count([(encode_domain_case(change), 1)])
    found = monitor.evaluate(LATER, AS_OF)
    return {alert.category.value: alert for alert in found if alert.ended_because is not None}


A, B = (make_case(name, DAY, lots=["L1"]) for name in ("A", "B"))


def test_a_cluster_keeps_the_cases_that_are_left() -> None:
    end = ended((A, B), ("B",))["LOT_CLUSTER"]
    assert (end.ended_because, end.kind) == (EndReason.CASES_WITHDRAWN, "retraction")
    assert (end.case_ids, end.n_cases, end.n_serious, end.n_verified) == (("A",), 1, 1, 1)
    assert (end.lots, end.terms, end.subject) == (("L1",), ("Sepsis",), "L1")
    none = ended((A, B), ("A", "B"))["LOT_CLUSTER"]
    assert (none.case_ids, none.lots, none.facilities, none.first_day) == ((), (), (), None)


def test_a_cluster_of_amended_cases_keeps_them_all() -> None:
    end = ended((A, B), (make_case("B", DAY, lots=["L2"]),))["LOT_CLUSTER"]
    assert (end.ended_because, end.case_ids) == (EndReason.CASES_AMENDED, ("A", "B"))
    assert end.lots == ("L1", "L2")
    assert "after its cases were amended; 2 cases are left" in str(end.headline)


def test_a_facility_whose_cases_turn_out_to_share_a_lot() -> None:
    plain = [make_case(name, DAY, facilities=["C-A"]) for name in ("A", "B")]
    of_lot = [make_case(name, DAY, facilities=["C-A"], lots=["L1"]) for name in ("A", "B")]
    end = ended(tuple(plain), tuple(of_lot))["FACILITY_CLUSTER"]
    assert end.ended_because is EndReason.SHARED_LOT
    assert str(end.headline).endswith("cluster withdrawn, since one lot covers its cases")
    assert "no longer met" not in end.sentence


def test_a_fatal_case_is_withdrawn_or_no_longer_fatal() -> None:
    death = make_case("D", DAY, fatal=True)
    gone = ended((death,), ("D",))["FATAL_CASE"]
    assert (gone.ended_because, gone.n_fatal) == (EndReason.CASES_WITHDRAWN, 0)
    alive = ended((death,), (make_case("D", DAY),))["FATAL_CASE"]
    assert (alive.ended_because, alive.case_ids) == (EndReason.NO_LONGER_FATAL, ("D",))


def test_a_series_of_cases_ends_with_them_and_one_of_notices_with_its_source() -> None:
    part = [make_case(name, DAY, part_of=["R|1"]) for name in ("A", "B")]
    media = note("1", NoticeKind.MEDIA)
    by_case = ended((media, *part), ("B",))["CASE_SERIES"]
    assert (by_case.ended_because, by_case.case_ids) == (EndReason.CASES_WITHDRAWN, ("A",))
    assert "series withdrawn after 1 case was withdrawn; 1 case is left" in str(by_case.headline)
    four = note("1", NoticeKind.AGGREGATE, patients=Patients(at_least=4))
    one = note("1", NoticeKind.AGGREGATE, LATER, patients=Patients(at_least=1))
    by_source = ended((four,), (one,))["CASE_SERIES"]
    assert by_source.ended_because is EndReason.SOURCE_WITHDRAWN
    assert str(by_source.headline).endswith("its source was withdrawn or amended")


def test_a_rumour_ends_when_its_notice_no_longer_speaks_of_a_death() -> None:
    rumour = note("1", NoticeKind.MEDIA, fatal=True)
    end = ended((rumour,), (note("1", NoticeKind.MEDIA, LATER, fatal=False),))["UNVERIFIED_FATAL"]
    assert (end.ended_because, end.kind) == (EndReason.SOURCE_WITHDRAWN, "retraction")
    assert str(end.headline).endswith("withdrawn: its source was withdrawn or amended")


@pytest.mark.parametrize(
    ("persons", "because"),
    [(("P",), EndReason.WITHIN_RULES), (("Q",), EndReason.SOURCE_WITHDRAWN)],
)
def test_a_use_in_sport_is_corrected_or_withdrawn(
    persons: tuple[str, ...], because: EndReason
) -> None:
    def given(volume: float, *names: str, received: date = DAY) -> Notice:
        usage = tuple(
            Usage(person=name, volume_ml=volume, route="intravenous", setting="surgery")
            if received == LATER
            else Usage(person=name, volume_ml=volume, route="intravenous")
            for name in names
        )
        return note("1", NoticeKind.USAGE, received, usage=usage)

    end = ended((given(250, "P"),), (given(90, *persons, received=LATER),))["USAGE_RULE"]
    assert end.ended_because is because
    words = {
        "within_rules": "within the rules after correction",
        "source_withdrawn": "by its source",
    }
    assert str(end.headline).endswith(words[because])


ASKED = note("1", NoticeKind.FOLLOW_UP, followup_due=DAY + timedelta(days=1))
VERDICT = note(
    "2",
    NoticeKind.VERIFICATION,
    LATER,
    verification=VerificationEvent(by="ministry", verdict=Verdict.UNRESOLVABLE, evidence="x"),
)


@pytest.mark.parametrize(
    ("answer", "because", "on", "headline"),
    [
        (
            note("2", NoticeKind.FOLLOW_UP, LATER, followup_closed=True),
            EndReason.ANSWERED,
            LATER,
            "R|1: answer received (2024-03-10)",
        ),
        (VERDICT, EndReason.SETTLED, LATER, "R|1: settled by a verdict (2024-03-10)"),
        (
            note("1", NoticeKind.FOLLOW_UP, LATER, followup_due=date(2024, 5, 1)),
            EndReason.DUE_DAY_MOVED,
            None,
            "R|1: day of the answer moved",
        ),
    ],
)
def test_an_overdue_answer_ends_by_answer_verdict_or_another_day(
    answer: Notice, because: EndReason, on: date | None, headline: str
) -> None:
    end = ended((ASKED,), (answer,))["FOLLOW_UP_OVERDUE"]
    assert (end.ended_because, end.ended_on, end.kind) == (because, on, "closed")
    assert end.headline == headline


def test_an_alert_of_an_older_version_ends_in_full() -> None:
    """Such an alert has none of the fields that the texts are made from but the first ones."""
    cases = (make_case("D", DAY, fatal=True), A, B)
    monitor = SafetyMonitor()
    monitor.count((encode_domain_case(case), 1) for case in cases)
    published = monitor.evaluate(DAY, AS_OF)
    assert len(published) == 2
    newer = set(SafetyAlert.model_fields) - OLDER
    restored = SafetyMonitor()
    restored.restore(
        SafetyAlert.model_validate_json(alert.model_dump_json(exclude=newer)) for alert in published
    )
    restored.count((encode_domain_case(case), 1) for case in cases)
    assert restored.evaluate(DAY, AS_OF) == []
    restored.count((encode_domain_case(case), -1) for case in cases[:2])
    fatal, lot = restored.evaluate(LATER, AS_OF)
    assert str(fatal.headline).endswith(
        "fatal case D withdrawn: nullified, merged into another case or amended"
    )
    assert str(lot.headline).endswith(
        "lot L1: cluster withdrawn after 1 case was withdrawn; 1 case is left"
    )
    assert (lot.due, lot.was and lot.was.n_cases) == (LATER + timedelta(days=3), 2)


OLDER = {
    "schema_version", "category", "alert_id", "signal_key", "revision", "kind", "urgent", "reason",
    "sentence", "caveat", "subject", "product_class", "terms", "families", "countries", "case_ids",
    "patients", "n_verified", "n_by_professional", "verification", "stated", "first_day",
    "last_day", "lots", "facilities", "flags", "duty", "law_version", "evaluated_on", "as_of",
    "code_version", "assessment",
}  # fmt: skip
