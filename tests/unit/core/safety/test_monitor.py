"""The watch on the events of the exosome story, and on what may happen to them."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import pytest

from schemas.notice import (
    Assertion,
    Exposure,
    Notice,
    NoticeKind,
    Patients,
    Usage,
    Verdict,
    VerificationEvent,
)
from schemas.report import Link, Reporter
from schemas.safety_alert import SafetyAlert
from schemas.vocabulary import (
    ActionTaken,
    LinkKind,
    Outcome,
    Qualification,
    ReporterKind,
    SupplyRoute,
)
from streams.core.cases.domain_case import DomainCase, domain_case_of, encode_domain_case
from streams.core.safety.monitor import SafetyMonitor
from streams.demo import PRODUCT_CLASS
from tests.support.alerts import AS_OF
from tests.support.reports import domain_report
from tests.support.versions import domain_case


def notice(
    number: str, received: date, kind: NoticeKind, subject: str | None = None, **fields: Any
) -> Notice:
    return Notice(
        notice_id=number,
        subject_id=subject or number,
        kind=kind,
        received=received,
        source="press",
        product_class=PRODUCT_CLASS,
        **fields,
    )


def of_lot(case_id: str, received: date, lot: str, facility_id: str | None = None) -> DomainCase:
    return domain_case(case_id, received, product={"lot": lot, "facility_id": facility_id})


class Told:
    """A monitor that receives notices one by one, and its revisions after each."""

    def __init__(self) -> None:
        self.watch = SafetyMonitor()

    def __call__(
        self,
        day: date,
        *cases: DomainCase,
        gone: Iterable[DomainCase] = (),
        notices: Iterable[Notice] = (),
    ) -> list[SafetyAlert]:
        for one in notices:
            self.watch.apply_notice(one)
        self.watch.count([(encode_domain_case(one), -1) for one in gone])
        self.watch.count([(encode_domain_case(one), +1) for one in cases])
        return self.watch.evaluate(day, AS_OF)


def said(alerts: Iterable[SafetyAlert]) -> list[tuple[str, int, str]]:
    return [(alert.category.value, alert.revision, alert.kind.value) for alert in alerts]


NE1 = of_lot("NE-1", date(2019, 10, 7), "EX-117", "C-A")
NE2 = of_lot("NE-2", date(2019, 10, 9), "EX-117", "C-A")
NE3 = of_lot("NE-3", date(2019, 10, 15), "EX117 ", "C-B")


def test_a_lot_is_an_alert_at_the_second_case_and_its_clinic_is_not() -> None:
    told = Told()
    assert told(date(2019, 10, 7), NE1) == []
    (alert,) = told(date(2019, 10, 9), NE2)
    assert said([alert]) == [("LOT_CLUSTER", 1, "new")]
    assert alert.urgent
    assert alert.case_ids == ("NE-1", "NE-2")
    assert (alert.lots, alert.facilities) == (("EX117",), ("C-A",))
    assert alert.duty[0].startswith("Duty to report, United States: none. The duties")
    assert alert.duty[-1] == "Law table 2026-11; not legal advice."
    assert "lot EX117: cluster of 2 serious cases." in alert.sentence
    assert "1 facility (C-A)" in alert.sentence
    (second,) = told(date(2019, 10, 15), NE3)
    assert said([second]) == [("LOT_CLUSTER", 2, "strengthened")]
    assert second.reason == "cases 2 to 3; facilities 1 to 2"
    assert second.signal_key == alert.signal_key
    assert second.alert_id != alert.alert_id
    assert told(date(2019, 10, 16)) == []


def test_a_late_case_joins_by_its_onset() -> None:
    told = Told()
    told(date(2019, 10, 15), NE1, NE2, NE3)
    action = notice(
        "FDA", date(2019, 12, 6), NoticeKind.REGULATORY_ACTION, authority="FDA", country="US"
    )
    assert told(date(2019, 12, 6), notices=[action]) == []
    late = domain_case(
        "NE-4",
        date(2024, 5, 20),
        product={"lot": "EX-117", "facility_id": "C-C"},
        reaction={"onset": date(2019, 9, 28)},
    )
    (alert,) = told(date(2024, 5, 20), late)
    assert said([alert]) == [("LOT_CLUSTER", 2, "strengthened")]
    assert alert.first_day == date(2019, 9, 28)
    assert {"late", "post_notice"} <= set(alert.flags)
    assert len(alert.facilities) == 3


def test_what_is_withdrawn_is_retracted_and_may_come_back() -> None:
    told = Told()
    told(date(2019, 10, 15), NE1, NE2)
    (alert,) = told(date(2019, 10, 20), gone=[NE2])
    assert said([alert]) == [("LOT_CLUSTER", 2, "retraction")]
    assert told(date(2019, 10, 21)) == []
    (again,) = told(date(2019, 10, 22), NE2)
    assert said([again]) == [("LOT_CLUSTER", 3, "strengthened")]


def test_a_clinic_is_an_alert_where_no_lot_explains_it() -> None:
    told = Told()
    alerts = told(
        date(2019, 10, 9),
        domain_case("A", date(2019, 10, 7), product={"facility_id": "C-A"}),
        domain_case("B", date(2019, 10, 9), product={"facility_id": "C-A"}),
    )
    assert said(alerts) == [("FACILITY_CLUSTER", 1, "new")]
    assert "lot_missing" in alerts[0].flags


def test_a_distributor_of_several_lots() -> None:
    told = Told()
    cases = [
        domain_case(f"D{i}", date(2019, 10, 1 + i), product={"lot": f"L-{i}", "distributor": "D-1"})
        for i in range(3)
    ]
    alerts = told(date(2019, 10, 9), *cases)
    assert said(alerts) == [("DISTRIBUTOR_CLUSTER", 1, "new")]


@pytest.mark.parametrize(
    "other",
    [
        of_lot("X", date(2019, 10, 8), "EX-118"),
        of_lot("X", date(2019, 12, 8), "EX-117"),
        domain_case("X", date(2019, 10, 8), product={"lot": "EX-117"}, seriousness=()),
        domain_case("X", date(2019, 10, 8), "Headache", product={"lot": "EX-117"}),
        of_lot("X", date(2019, 10, 8), "unknown"),
    ],
)
def test_what_makes_no_cluster(other: DomainCase) -> None:
    assert Told()(date(2019, 12, 31), NE1, other) == []


def test_a_rumour_of_deaths_from_the_first_word_to_the_end() -> None:
    told = Told()
    rumour = notice(
        "RUM-1",
        date(2023, 10, 11),
        NoticeKind.SAFETY_NOTICE,
        reporter=ReporterKind.SOCIETY,
        terms=("Death",),
        country="JP",
    )
    (alert,) = told(date(2023, 10, 11), notices=[rumour])
    assert said([alert]) == [("UNVERIFIED_FATAL", 1, "new")]
    assert alert.duty[0].startswith("Route not known. Duty to report, Japan (marketed product): ")
    repeat = notice(
        "RUM-1b",
        date(2023, 11, 14),
        NoticeKind.MEDIA,
        "RUM-1",
        derived_from=("RUM-1",),
        terms=("Death",),
        country="JP",
    )
    assert told(date(2023, 11, 14), notices=[repeat]) == []
    assert told(date(2023, 11, 14), notices=[rumour]) == []
    denials = [
        notice(
            name,
            date(2023, 11, 14),
            NoticeKind.VERIFICATION,
            "RUM-1",
            verification=VerificationEvent(by=by, assertion=assertion),
        )
        for name, by, assertion in [
            ("RUM-1c", "institution", Assertion.DENIES),
            ("RUM-1d", "ministry", Assertion.SOURCE_UNKNOWN),
        ]
    ]
    (contested,) = told(date(2023, 11, 14), notices=denials)
    assert said([contested]) == [("UNVERIFIED_FATAL", 2, "update")]
    assert contested.verification == "contested"
    assert "It is neither confirmed nor refuted and enters no count." in contested.sentence
    assert [s.said for s in contested.stated] == ["denies", "source_unknown"]


@pytest.mark.parametrize("verdict", [Verdict.CONFIRMED, Verdict.REFUTED])
def test_both_ends_of_the_rumour(verdict: Verdict) -> None:
    told = Told()
    rumour = notice("RUM-1", date(2023, 10, 11), NoticeKind.SAFETY_NOTICE, terms=("Death",))
    told(date(2023, 10, 11), notices=[rumour])
    settled = notice(
        "RUM-1e",
        date(2024, 5, 7),
        NoticeKind.VERIFICATION,
        "RUM-1",
        reporter=ReporterKind.AUTHORITY,
        verification=VerificationEvent(by="ministry", verdict=verdict, evidence="records"),
    )
    if verdict is Verdict.CONFIRMED:
        death = domain_case(
            "RUM-1-ICSR",
            date(2024, 5, 7),
            "Death",
            reaction={"outcome": Outcome.FATAL},
            reporter=Reporter(qualification=Qualification.PHYSICIAN, country="JP"),
            links=(Link(kind=LinkKind.PART_OF, case_id="RUM-1"),),
        )
        alerts = told(date(2024, 5, 7), death, notices=[settled])
        assert said(alerts) == [("FATAL_CASE", 1, "new"), ("UNVERIFIED_FATAL", 2, "closed")]
        assert alerts[0].urgent
        assert "RUM-1" in alerts[0].sentence
        assert alerts[1].reason == "settled: confirmed by an authority"
    else:
        (alert,) = told(date(2024, 5, 7), notices=[settled])
        assert said([alert]) == [("UNVERIFIED_FATAL", 2, "closed")]
        assert alert.reason == "settled: refuted on evidence"
    assert told(date(2024, 6, 7)) == []


def test_a_series_absorbs_its_cases() -> None:
    told = Told()
    series = notice(
        "LC-0",
        date(2023, 11, 28),
        NoticeKind.AGGREGATE,
        terms=("Malignant neoplasm progression",),
        indication="Lung cancer stage IV",
        patients=Patients(at_least=4),
        country="JP",
        supply_route=SupplyRoute.PHYSICIAN_PRACTICE,
        facility_id="C-T",
    )
    (alert,) = told(date(2023, 11, 28), notices=[series])
    assert said([alert]) == [("CASE_SERIES", 1, "new")]
    assert alert.flags == ("indication_confounding",)
    assert alert.duty == (
        "Duty to report, Japan (physician's own practice): none. The Act on the Safety of "
        "Regenerative Medicine (ASRM) does not apply, because the product contains no cells.",
        "Law table 2026-11; not legal advice.",
    )
    goes_on = notice(
        "LC-0/2",
        date(2023, 11, 30),
        NoticeKind.AMENDMENT,
        "LC-0",
        exposure=Exposure(
            action_taken=ActionTaken.DOSE_NOT_CHANGED,
            discontinuation_advised_by="outside oncologist",
        ),
    )
    (ongoing,) = told(date(2023, 11, 30), notices=[goes_on])
    assert said([ongoing]) == [("ONGOING_EXPOSURE", 1, "new")]
    assert "against the advice of an outside oncologist" in ongoing.sentence
    revisions: list[SafetyAlert] = []
    for i in range(1, 5):
        by = Qualification.CONSUMER if i == 4 else Qualification.PHYSICIAN
        reported = domain_case(
            f"LC-{i}",
            date(2024, 1, i),
            "Malignant neoplasm progression",
            product={"facility_id": "C-T", "indication": "Lung cancer stage IV"},
            reporter=Reporter(qualification=by, country="JP"),
            links=(Link(kind=LinkKind.PART_OF, case_id="LC-0"),),
        )
        revisions += told(date(2024, 1, i), reported)
    assert said(revisions) == [
        ("CASE_SERIES", revision, "strengthened") for revision in range(2, 6)
    ]
    last = revisions[-1]
    assert last.patients == Patients(at_least=4)
    assert (last.n_verified, last.n_by_professional) == (4, 3)
    (weaker,) = told(date(2024, 4, 2), gone=[reported])
    assert said([weaker]) == [("CASE_SERIES", 6, "weakened")]
    assert weaker.n_verified == 3


def test_athletes() -> None:
    usage = notice(
        "ATH",
        date(2024, 3, 20),
        NoticeKind.USAGE,
        country="JP",
        usage=tuple(
            Usage(
                person=f"A-{i}",
                volume_ml=volume,
                hours=12.0,
                route="intravenous",
                athlete=True,
                approved=False,
            )
            for i, volume in enumerate([250.0, 250.0, 80.0], start=1)
        ),
    )
    alerts = Told()(date(2024, 3, 20), notices=[usage])
    assert said(alerts) == [("USAGE_RULE", 1, "new")] * 3
    assert ["volume_open" in alert.flags for alert in alerts] == [True, True, False]
    assert all("approval_failed" in alert.flags for alert in alerts)
    assert all("given to an athlete: " in alert.sentence for alert in alerts)
    assert all("A-" not in alert.sentence for alert in alerts)
    assert alerts[0].duty[-2].startswith("Duty to report, sport: none. ")


def test_time_alone_makes_an_answer_overdue() -> None:
    told = Told()
    asked = notice(
        "RUM-1",
        date(2023, 10, 11),
        NoticeKind.SAFETY_NOTICE,
        terms=("Death",),
        followup_due=date(2023, 11, 10),
    )
    assert len(told(date(2023, 10, 11), notices=[asked])) == 1
    assert told(date(2023, 11, 10)) == []
    (overdue,) = told(date(2023, 11, 11))
    assert said([overdue]) == [("FOLLOW_UP_OVERDUE", 1, "new")]
    assert told(date(2023, 11, 12)) == []
    answer = notice("a", date(2023, 11, 20), NoticeKind.FOLLOW_UP, "RUM-1", followup_closed=True)
    (closed,) = told(date(2023, 11, 20), notices=[answer])
    assert (said([closed]), closed.reason) == (
        [("FOLLOW_UP_OVERDUE", 2, "closed")],
        "answer received",
    )


def test_a_restored_watch_says_nothing_twice() -> None:
    told = Told()
    published = told(date(2019, 10, 9), NE1, NE2)
    other = Told()
    other.watch.restore(published)
    assert other(date(2019, 10, 10), NE1, NE2) == []
    (alert,) = other(date(2019, 10, 15), NE3)
    assert said([alert]) == [("LOT_CLUSTER", 2, "strengthened")]


def test_the_order_of_cases_and_notices_does_not_change_the_end() -> None:
    cases = [NE1, NE2, NE3]
    whole, reverse = Told(), Told()
    for one in cases:
        whole(date(2019, 12, 1), one)
    for one in reversed(cases):
        reverse(date(2019, 12, 1), one)
    a, b = (
        {key: alert.case_ids for key, alert in told.watch._published.items()}
        for told in (whole, reverse)
    )
    assert a == b != {}


def test_only_the_domain_is_watched() -> None:
    aspirin = domain_report("X", date(2019, 1, 1), product={"product_class": "aspirin"})
    assert domain_case_of(aspirin, "unknown") is None
    exosome = domain_case("X", date(2019, 1, 1), product={"product_class": "エクソソーム"})
    assert exosome.product_class == "extracellular-vesicles"
    assert timedelta(days=NE1.received) + date(1970, 1, 1) == date(2019, 10, 7)
