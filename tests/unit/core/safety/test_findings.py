"""What a day's watched cases and notices give to alert of, on small examples worked out by hand."""

from datetime import date, timedelta

import msgspec
import pytest

from schemas.notice import (
    Exposure,
    Notice,
    NoticeKind,
    Patients,
    Usage,
    Verdict,
    VerificationEvent,
)
from schemas.safety_alert import AlertCategory
from schemas.vocabulary import ReporterKind, SupplyRoute
from streams.core.cases.domain_case import DomainCase
from streams.core.safety.findings import (
    actions,
    cluster_rules,
    findings,
    flags_of,
)
from streams.core.safety.safety_finding import SafetyFinding
from streams.core.safety.sports_rules import usage_rules

EPOCH = date(1970, 1, 1)
START = date(2024, 1, 1)
TODAY = date(2024, 6, 30)
TOP = "msc-supernatant-exosome"  # the class above vesicles, and above engineered ones


def case(
    name: str,
    day: int = 0,
    *,
    terms: tuple[str, ...] = ("Sepsis",),
    lots: tuple[str, ...] = (),
    facilities: tuple[str, ...] = (),
    onset: int | None = None,
    country: str | None = "US",
    fatal: bool = False,
    serious: bool = True,
    by_professional: bool = True,
    part_of: tuple[str, ...] = (),
    indication_terms: tuple[str, ...] = (),
    product_class: str = "engineered-ev",
    route: SupplyRoute = SupplyRoute.UNKNOWN,
) -> DomainCase:
    """Days are counted from the first of January 2024."""
    first = (START - EPOCH).days
    return DomainCase(
        case_id=name,
        product_class=product_class,
        received=first + day,
        onset=None if onset is None else first + onset,
        terms=list(terms),
        indication_terms=list(indication_terms),
        serious=serious,
        fatal=fatal,
        by_professional=by_professional,
        country=country,
        age_group="adult",
        lots=list(lots),
        facilities=list(facilities),
        manufacturers=[],
        distributors=[],
        indications=[],
        supply_route=route.value,
        exposure_ongoing=None,
        part_of=list(part_of),
        source="test",
    )


def notice(number: str, kind: NoticeKind, day: int = 0, **fields: object) -> Notice:
    raw = {
        "notice_id": number,
        "subject_id": "R-1",
        "kind": kind,
        "received": START + timedelta(days=day),
        "source": "press",
        "product_class": "engineered-ev",
    }
    return Notice.model_validate(raw | fields)


def found(
    cases: tuple[DomainCase, ...] = (), notices: tuple[Notice, ...] = (), day: date = TODAY
) -> list[SafetyFinding]:
    by_subject: dict[str, list[Notice]] = {}
    for each in notices:
        by_subject.setdefault(each.subject_id, []).append(each)
    return findings(cases, by_subject, day, clusters=cluster_rules(), usage=usage_rules())


def test_two_infections_of_one_lot_within_thirty_days_are_a_cluster() -> None:
    (cluster,) = found((case("B", 30, lots=("A1",)), case("A", lots=("A1",), country="JP")))
    assert (cluster.category, cluster.subject) == (
        AlertCategory.LOT_CLUSTER,
        (TOP, "infection", "A1"),
    )
    assert (cluster.size, cluster.urgent, cluster.case_ids) == (2, True, ("A", "B"))
    assert (cluster.terms, cluster.families) == (("Sepsis",), ("infection",))
    assert (cluster.countries, cluster.lots) == (("JP", "US"), ("A1",))
    assert (cluster.first_day, cluster.last_day) == (START, START + timedelta(days=30))
    assert (cluster.n_verified, cluster.n_by_professional, cluster.product_class) == (2, 2, TOP)


@pytest.mark.parametrize(
    "other",
    [
        case("B", 31, lots=("A1",)),
        case("B", lots=("A2",)),
        case("B"),
        case("B", lots=("A1",), terms=("Urticaria",)),  # of another family
        case("B", lots=("A1",), serious=False),
        case("B", lots=("A1",), product_class="cell-product"),
    ],
)
def test_cases_that_differ_in_lot_family_class_or_time_are_no_cluster(other: DomainCase) -> None:
    assert found((case("A", lots=("A1",)), other)) == []


def test_clusters_are_of_the_days_of_onset_where_they_are_known() -> None:
    late = case("B", 100, lots=("A1",), onset=5)
    (cluster,) = found((case("A", lots=("A1",)), late))
    assert cluster.last_day == START + timedelta(days=5)
    assert cluster.flags == ("late",)  # received 95 days after its onset


def test_a_cluster_of_a_facility_that_a_lot_explains_is_that_of_the_lot() -> None:
    pair = tuple(case(name, lots=("A1",), facilities=("C-A",)) for name in "AB")
    assert [each.category for each in found(pair)] == [AlertCategory.LOT_CLUSTER]
    third = case("C", 3, facilities=("C-A",))
    both = {each.category: each.case_ids for each in found((*pair, third))}
    assert both == {
        AlertCategory.LOT_CLUSTER: ("A", "B"),
        AlertCategory.FACILITY_CLUSTER: ("A", "B", "C"),
    }


def test_a_fatal_case_is_urgent_and_names_what_it_is_part_of() -> None:
    death = case("D", fatal=True, part_of=("R-1", "R-2"), route=SupplyRoute.CLINICAL_TRIAL)
    (finding,) = found((death, case("E")))
    assert (finding.category, finding.subject) == (AlertCategory.FATAL_CASE, ("D",))
    assert (finding.urgent, finding.size, finding.case_ids) == (True, 1, ("D",))
    assert finding.part_of == ("R-1", "R-2")
    assert finding.supply_route is SupplyRoute.CLINICAL_TRIAL
    assert found((case("D", fatal=True),))[0].part_of == ()
    two = found((case("E", fatal=True), case("D", fatal=True)))
    assert [each.subject for each in two] == [("D",), ("E",)]


def test_two_supply_routes_are_none_that_is_known() -> None:
    routes = (SupplyRoute.CLINICAL_TRIAL, SupplyRoute.PHYSICIAN_PRACTICE)
    pair = tuple(case(r.value, lots=("A1",), route=r) for r in routes)
    assert found(pair)[0].supply_route is SupplyRoute.UNKNOWN
    one = (pair[0], case("B", lots=("A1",)))
    assert found(one)[0].supply_route is SupplyRoute.CLINICAL_TRIAL


@pytest.mark.parametrize(
    ("of_case", "acted", "flags"),
    [
        (case("A", lots=("A1",)), {}, ()),
        (case("A"), {}, ("lot_missing",)),
        (
            msgspec.structs.replace(case("A", lots=("A1",)), lot_in_other_letters=True),
            *({}, ("lot_in_other_letters",)),
        ),
        (case("A", 90, lots=("A1",), onset=0), {}, ()),
        (case("A", 91, lots=("A1",), onset=0), {}, ("late",)),
        (case("A", 5, lots=("A1",)), {TOP: START + timedelta(days=5)}, ()),
        (case("A", 6, lots=("A1",)), {TOP: START + timedelta(days=5)}, ("post_notice",)),
        (case("A", 6, lots=("A1",)), {"cell-product": START}, ()),
        (case("A", lots=("A1",), indication_terms=("Sepsis",)), {}, ("indication_confounding",)),
        (
            case("A", 91, onset=0, indication_terms=("Sepsis",)),
            {TOP: START},
            ("indication_confounding", "late", "lot_missing", "post_notice"),
        ),
    ],
)
def test_flags_of_a_case(
    of_case: DomainCase, acted: dict[str, date], flags: tuple[str, ...]
) -> None:
    assert flags_of([of_case], acted) == flags
    assert flags_of([of_case, case("Z", lots=("A1",))], acted) == flags


def test_an_authority_acts_on_the_highest_class_on_the_first_day() -> None:
    acts = {"kind": NoticeKind.REGULATORY_ACTION, "authority": "ministry"}
    known = {
        "R-1": [notice("1", day=9, **acts), notice("2", day=4, **acts)],
        "R-2": [notice("3", day=6, **acts, product_class="culture-supernatant")],
        "R-3": [notice("4", day=2, **acts, product_class="cell-product")],
        "R-4": [notice("5", NoticeKind.MEDIA, 1), notice("6", day=1, **acts, product_class=None)],
    }
    days = {code: (day - START).days for code, day in actions(known).items()}
    assert days == {TOP: 4, "cell-product": 2}


SERIES = notice(
    "1", NoticeKind.MEDIA, 1, terms=("Sepsis",), patients=Patients(at_least=4), country="JP"
)
REFUTED = notice(
    "2",
    NoticeKind.VERIFICATION,
    9,
    reporter=ReporterKind.AUTHORITY,
    verification=VerificationEvent(by="ministry", verdict=Verdict.REFUTED, evidence="records"),
)
CONFIRMED = REFUTED.model_copy(
    update={
        "verification": VerificationEvent(
            by="ministry", verdict=Verdict.CONFIRMED, evidence="records"
        )
    }
)


def test_a_series_counts_the_reported_patients_among_those_told_of() -> None:
    part = case("A", part_of=("R-1",), by_professional=False)
    (series,) = found((part, case("B")), (SERIES,))
    assert (series.category, series.subject) == (AlertCategory.CASE_SERIES, ("R-1",))
    assert (series.size, series.n_verified, series.n_by_professional) == (4, 1, 0)
    assert (series.case_ids, series.countries) == (("A",), ("JP",))
    assert (series.verification, series.ended_because) == ("reported", None)
    alone = SERIES.model_copy(update={"patients": Patients(at_least=1)})
    assert found((), (alone,)) == []


def test_a_notice_is_known_from_its_day_on() -> None:
    assert found((), (SERIES,), START) == []
    assert len(found((), (SERIES,), START + timedelta(days=1))) == 1


def test_a_refuted_series_closes_and_a_confirmed_one_stays() -> None:
    (refuted,) = found((), (SERIES, REFUTED))
    assert (refuted.ended_because, refuted.verification) == ("settled", "refuted")
    (stated,) = refuted.stated
    assert (stated.on, stated.by, stated.said) == (date(2024, 1, 10), "ministry", "refuted")
    (confirmed,) = found((), (SERIES, CONFIRMED))
    assert (confirmed.ended_because, confirmed.verification) == (None, "authority_confirmed")
    assert found((), (SERIES, REFUTED), date(2024, 1, 9))[0].ended_because is None


def test_a_death_that_only_notices_tell_of_is_unverified_until_it_is_settled() -> None:
    death = notice("1", NoticeKind.MEDIA, fatal=True)
    (finding,) = found((), (death,))
    assert (finding.category, finding.size, finding.ended_because) == (
        AlertCategory.UNVERIFIED_FATAL,
        1,
        None,
    )
    (settled,) = found((), (death, CONFIRMED))
    assert (settled.ended_because, settled.verification) == ("settled", "authority_confirmed")
    quiet = notice("1", NoticeKind.MEDIA)
    fatal_case = case("D", fatal=True, part_of=("R-1",))
    only_case = [each.category for each in found((fatal_case,), (quiet,))]
    assert only_case == [AlertCategory.FATAL_CASE]  # its report told of the death, no notice


def test_exposure_that_was_said_to_go_on_is_found_until_it_has_ended() -> None:
    goes_on = notice(
        "1",
        NoticeKind.AMENDMENT,
        exposure=Exposure(ongoing=True, discontinuation_advised_by="oncologist"),
    )
    (finding,) = found((), (goes_on,))
    assert (finding.category, finding.ended_because) == (AlertCategory.ONGOING_EXPOSURE, None)
    assert finding.advised_by == "oncologist"
    ended = notice("2", NoticeKind.AMENDMENT, 3, exposure=Exposure(ongoing=False))
    assert found((), (goes_on, ended))[0].ended_because == "exposure_ended"
    assert found((), (ended,)) == []  # it was never said to go on


def test_an_answer_is_overdue_from_the_day_after_it_was_due() -> None:
    asked = notice("1", NoticeKind.FOLLOW_UP, followup_due=date(2024, 2, 1))
    assert found((), (asked,), date(2024, 2, 1)) == []
    (finding,) = found((), (asked,), date(2024, 2, 2))
    assert finding.category is AlertCategory.FOLLOW_UP_OVERDUE
    assert finding.due_since == date(2024, 2, 1)
    answered = notice("2", NoticeKind.FOLLOW_UP, 40, followup_closed=True)
    assert found((), (asked, answered), date(2024, 3, 1)) == []


def test_infusions_of_an_athlete_add_up_within_a_day() -> None:
    def given(volume: float, person: str = "P-1") -> Usage:
        items = ("diagnosis", "basis", "drug", "amount", "method")
        return Usage(
            person=person,
            volume_ml=volume,
            route="intravenous",
            setting="clinic",
            approved=True,
            within_indication=True,
            **{f"record_{item}": True for item in items},
        )

    day = notice("1", NoticeKind.USAGE, usage=(given(60), given(50), given(90, "P-2")))
    (finding,) = found((), (day,))
    assert (finding.category, finding.subject) == (AlertCategory.USAGE_RULE, ("R-1", "P-1"))
    assert (finding.volume_ml, finding.limit_ml, finding.within_hours) == (110, 100, 12)
    assert finding.athlete_stated is False
    assert finding.flags == ("volume_failed",)
