"""Contexts of the domain's products in alerts, and which of their changes publish a revision."""

from datetime import date

import pytest

from detectors.rules import load_rules
from schemas.alert import AlertKind
from schemas.errors import InputError
from schemas.notice import Exposure, Notice, NoticeKind, Patients, Verdict, VerificationEvent
from schemas.product import Product, SourceMaterial
from schemas.report import Link, Reaction, Reporter, Revision
from schemas.vocabulary import (
    Donor,
    LinkKind,
    Outcome,
    Qualification,
    ReporterKind,
    RevisionKind,
    Seriousness,
    SupplyRoute,
)
from streams.core.cases.from_report import case_version
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.core.safety.reporting_duties import law_table
from streams.core.signals.realert_policy import load_policy
from streams.demo import PRODUCT_CLASS
from streams.runtime.embedded.case_stage import CaseStage
from streams.runtime.state.case_store import MemoryStore
from tests.support.replays import replayed
from tests.support.reports import domain_product, make_report

RULES = load_rules(["mhra"])
PROGRESSION = "Malignant neoplasm progression"


def counted(counts):
    return {each.name: each.n for each in counts}


def test_the_sepsis_of_the_founding_case_says_lots_places_and_law(founding_alerts):
    first, *_, last = [alert for alert in founding_alerts if alert.event == "Sepsis"]
    context = first.context
    assert (context.product_class, context.family, context.n_cases) == (
        PRODUCT_CLASS,
        "infection",
        3,
    )
    assert context.class_label == "exosomes or culture supernatant of stem cells"
    assert counted(context.lots) == {"EX117": 3}
    assert context.lot_missing_share == 0
    assert counted(context.facilities) == {"C-A": 2, "C-B": 1}
    assert counted(context.countries) == {"US": 3}
    assert counted(context.tissues) == {"placenta": 3}
    assert counted(context.donors) == {"allogeneic": 3}
    assert counted(context.routes) == {"intravenous": 2, "intra-articular": 1}
    assert counted(context.indications) == {"Pain": 3}
    assert counted(context.supply_routes) == {"physician_practice": 3}
    assert context.verification == "3 of 3 patients reported by a health professional"
    duty, table = context.duty
    assert duty.startswith("Duty to report, United States: none. The duties of a licence holder")
    assert table == f"Law table {law_table().version}; not legal advice."
    assert context.law_version == law_table().version
    assert (context.notices, context.exposure_ongoing, context.flags) == ((), None, ())
    # The fourth came five years late, after the notice of the authority.
    assert counted(last.context.facilities)["C-C"] == 1
    assert last.context.flags == ("late", "post_notice")
    assert "2019-12-06" in {str(notice.on) for notice in last.context.notices}
    assert [reason.value for reason in last.reasons] == ["ic_rose", "new_facility"]


def test_the_progression_says_who_reported_and_that_nobody_had_to(founding_alerts):
    alerts = [alert for alert in founding_alerts if alert.event == PROGRESSION]
    new, strengthened, weakened = (alert.context for alert in alerts)
    assert strengthened.verification == (
        "3 of 4 patients reported by a health professional; 1 by a consumer or lawyer; "
        "LC-0 tells of at least 4"
    )
    assert [c.n_by_professional for c in (new, strengthened, weakened)] == [3, 3, 2]
    assert "practice): none. The Act on the Safety of Regenerative Medicine" in new.duty[0]
    assert new.exposure_ongoing is True
    assert [(each.subject_id, each.state) for each in new.subjects] == [("LC-0", "reported")]
    assert {"indication_confounding", "lot_missing"} <= set(new.flags)
    assert new.lot_missing_share == 1
    assert counted(new.indications) == {"Lung cancer stage IV": 3}
    assert "missing" in alerts[0].next_step
    assert "still being treated" in alerts[0].next_step
    assert (alerts[0].due - alerts[0].evaluated_on).days == 30


def test_what_is_not_of_the_domain_has_no_context_and_a_next_step():
    cases = [report(i, product=Product(substances=("zinc",))) for i in range(3)]
    (alert,) = [a for a in replayed([*others(), *cases]).alerts if a.drug == "zinc"]
    assert alert.context is None
    assert alert.next_step == (
        "Check for duplicates, review the case reports, then validate the signal or record why "
        f"not. Due {alert.due}."
    )


FIRST = date(2024, 1, 1)


def report(number, term="Sepsis", *, day=2, product=None, country="US", terms=(), **fields):
    return make_report(
        f"N{number:04}",
        day=date(2024, 1, day),
        products=(product or exosome(),),
        events=(term, *terms),
        occurrence_country=country,
        reporter=Reporter(qualification=Qualification.PHYSICIAN),
        **fields,
    )


def exosome(lot="A1", clinic="C-A", **fields):
    return domain_product("cell-product", lot=lot, facility_id=clinic, **fields)


def others():
    terms = ("Sepsis", *(f"Reaction {i}" for i in range(19)))
    return [
        report(1000 + i, terms[i % 20], day=1, product=Product(substances=(f"drug {i % 49}",)))
        for i in range(500)
    ]


def notice(number, kind, day, subject="R-1", **fields):
    return Notice(
        notice_id=number,
        subject_id=subject,
        kind=kind,
        received=date(2024, 1, day),
        source="press",
        product_class="cell-product",
        terms=("Sepsis",),
        **fields,
    )


def revisions(reports, notices=(), policy=None):
    """Return the revisions of the class's sepsis after the first: kind and reasons."""
    alerts = replayed([*others(), *reports], notices=notices, policy=policy).alerts
    of_class = [a for a in alerts if (a.drug, a.event) == ("cell-product", "Sepsis")]
    assert of_class[0].kind is AlertKind.NEW
    return [(a.kind.value, [reason.value for reason in a.reasons]) for a in of_class[1:]]


THREE = tuple(report(i) for i in range(3))
QUIET = load_policy().model_copy(update={"more_cases": 99, "ic_lower_rise": 99.0})


@pytest.mark.parametrize(
    ("fourth", "reasons"),
    [
        (report(3, day=5), None),
        (report(3, day=5, product=exosome(lot="B2")), ["new_lot"]),
        (report(3, day=5, product=exosome(lot=None)), None),
        (report(3, day=5, product=exosome(clinic="C-B")), ["new_facility"]),
        (report(3, day=5, country="CA"), ["new_country"]),
        (report(3, day=5, country="JP"), ["new_region", "new_country"]),
        (report(3, day=5, terms=("Endocarditis",)), ["first_designated"]),
        (report(3, day=5, product=exosome(exposure_ongoing=True)), ["exposure_ongoing"]),
        (report(3, day=5, seriousness=(Seriousness.DEATH,)), ["first_fatal"]),
    ],
)
def test_what_is_new_of_a_case_is_told_once(fourth, reasons):
    """A fifth case that brings the same says nothing."""
    policy = QUIET.model_copy(update={"designated_events": ["Endocarditis"]})
    fifth = fourth.model_copy(
        update={"case_id": "N0005", **dict.fromkeys(("first_received", "latest_received"), DAY_8)}
    )
    expected = [] if reasons is None else [("strengthened", reasons)]
    assert revisions([*THREE, fourth, fifth], policy=policy) == expected


DAY_8 = date(2024, 1, 8)


def test_a_switch_of_the_policy_silences_each_of_them():
    names = ("new_country", "new_lot", "new_facility", "exposure_ongoing")
    silent = QUIET.model_copy(update=dict.fromkeys(names, False))
    fourth = report(3, day=5, country="CA", product=exosome("B2", "C-B", exposure_ongoing=True))
    assert revisions([*THREE, fourth], policy=silent) == []
    assert revisions([*THREE, fourth], policy=QUIET) == [
        ("strengthened", ["exposure_ongoing", "new_country", "new_lot", "new_facility"])
    ]


def test_an_amended_lot_is_corrected_and_the_other_one_is_new():
    amended = report(2, product=exosome(lot="B2")).model_copy(
        update={"version": 2, "latest_received": date(2024, 1, 6)}
    )
    assert revisions([*THREE, amended], policy=QUIET) == [("strengthened", ["new_lot"])]
    again = report(2).model_copy(update={"version": 3, "latest_received": DAY_8})
    assert revisions([*THREE, amended, again], policy=QUIET)[1:] == [
        ("update", ["facts_withdrawn"])
    ]


@pytest.mark.parametrize("verdict", [Verdict.CONFIRMED, Verdict.REFUTED])
def test_a_verdict_on_a_rumour_is_told_to_who_heard_of_the_signal(verdict):
    rumour = notice("1", NoticeKind.MEDIA, 1, patients=Patients(at_least=4))
    settled = notice(
        "2",
        NoticeKind.VERIFICATION,
        9,
        reporter=ReporterKind.AUTHORITY,
        verification=VerificationEvent(by="ministry", verdict=verdict, evidence="inspection"),
    )
    told = [(("strengthened"), ["verification_changed"])]
    assert revisions(THREE, [rumour, settled], QUIET) == told
    assert revisions(THREE, [rumour], QUIET) == []


def test_a_notice_of_ongoing_exposure_is_told():
    ongoing = notice("1", NoticeKind.AMENDMENT, 9, exposure=Exposure(ongoing=True))
    assert revisions(THREE, [ongoing], QUIET) == [("strengthened", ["exposure_ongoing"])]


def test_a_restart_knows_what_was_published_of_lots_and_places():
    """Publish all cases but the last, restore a new detector, then apply the last case."""
    alerts = []
    for fourth in (report(3, day=5), report(3, day=5, product=exosome(lot="B2"))):
        detector = [Detector([WindowSpec.parse("cumulative")], RULES, policy=QUIET)]
        told = feed(detector[0], [*others(), *THREE], 2)
        rows, facts = detector[0].snapshot()
        again = Detector([WindowSpec.parse("cumulative")], RULES, policy=QUIET)
        again.restore(rows, facts)
        again.restore_signals(
            type(alert).model_validate_json(alert.model_dump_json()) for alert in told
        )
        again.settle()
        alerts.append([alert.reasons[0].value for alert in feed(again, [fourth], 5)])
    assert alerts[0] == []
    assert set(alerts[1]) == {"new_lot", "first"}  # the lot and the clinic now differ


def feed(detector, reports, day):
    stage = CaseStage(MemoryStore(), partition=0, keep_outbox=False)
    start = detector.offsets.get(0, 0)
    counted = stage.count(
        [case_version(one) for one in reports],
        first_offset=start,
        next_offset=start + len(reports),
    )
    detector.apply(counted.delta)
    return detector.evaluate((date(2024, 1, day) - date(1970, 1, 1)).days)


@pytest.mark.parametrize(
    ("designated", "fatal", "urgent"),
    [
        ([], False, False),
        ([], True, True),
        (["Sepsis"], False, True),
        (["family:infection"], False, True),
        (["Rash"], False, False),
    ],
)
def test_a_fatal_case_or_a_designated_event_makes_a_new_alert_urgent(designated, fatal, urgent):
    policy = QUIET.model_copy(update={"designated_events": designated})
    outcome = Outcome.FATAL if fatal else Outcome.RECOVERED
    cases = [
        one.model_copy(update={"reactions": (Reaction(term="Sepsis", outcome=outcome),)})
        for one in THREE
    ]
    alerts = replayed([*others(), *cases], policy=policy).alerts
    new = next(alert for alert in alerts if alert.drug == "cell-product")
    assert new.urgent is urgent
    assert (new.due - new.evaluated_on).days == (3 if urgent else 30)


def test_a_case_that_is_left_out_leaves_the_law_line():
    """All cases are nullified: the retraction still says which law held, and whose duty it was."""
    gone = [
        one.model_copy(
            update={
                "version": 2,
                "latest_received": DAY_8,
                "revision": Revision(kind=RevisionKind.NULLIFICATION, reason="error"),
            }
        )
        for one in THREE
    ]
    alerts = replayed([*others(), *THREE, *gone]).alerts
    last = [alert for alert in alerts if alert.drug == "cell-product"][-1]
    assert (last.kind.value, last.context.n_cases) == ("retraction", 0)
    assert last.context.verification == "no case is left"
    assert last.context.duty[0].startswith("Duty to report, United States: none. ")


def test_a_case_without_a_country_says_so():
    unknown = [one.model_copy(update={"occurrence_country": None}) for one in THREE]
    alerts = replayed([*others(), *unknown]).alerts
    (alert, *_) = [each for each in alerts if each.drug == "cell-product"]
    assert alert.context.duty == (
        "Duty to report, country not stated: not known. The law table goes by country.",
        "Law table 2026-11; not legal advice.",
    )


@pytest.mark.parametrize(
    ("product", "tissues", "donors", "routes"),
    [
        (
            exosome(
                route="intra_articular",
                source_material=SourceMaterial(tissue="umbilical_cord", donor=Donor.AUTOLOGOUS),
            ),
            ["umbilical-cord"],
            ["autologous"],
            ["intra-articular"],
        ),
        (
            exosome(verbatim="自家脂肪由来幹細胞", route="点滴"),
            ["adipose"],
            ["autologous"],
            ["intravenous"],
        ),
        (
            exosome(route="by hand", source_material=SourceMaterial(tissue="hoof")),
            ["hoof"],
            [],
            ["by hand"],
        ),
        (exosome(supply_route=SupplyRoute.CLINICAL_TRIAL), [], [], []),
    ],
)
def test_tissue_donor_and_route_are_coded_else_as_reported(product, tissues, donors, routes):
    alerts = replayed([*others(), *(report(i, product=product) for i in range(3))]).alerts
    context = next(alert.context for alert in alerts if alert.drug == "cell-product")
    found = [[each.name for each in of] for of in (context.tissues, context.donors, context.routes)]
    assert found == [tissues, donors, routes]


def test_cases_of_an_aggregate_name_it():
    part = Link(kind=LinkKind.PART_OF, case_id="R-9")
    told = notice("1", NoticeKind.AGGREGATE, 1, "R-9", patients=Patients(at_least=3, at_most=3))
    other = notice("2", NoticeKind.MEDIA, 1, "R-2").model_copy(
        update={"product_class": "engineered-ev"}
    )
    cases = [one.model_copy(update={"links": (part,)}) for one in THREE]
    alerts = replayed([*others(), *cases], notices=[told, other]).alerts
    context = next(alert.context for alert in alerts if alert.drug == "cell-product")
    assert [each.subject_id for each in context.subjects] == ["R-9"]
    assert context.verification.endswith("; R-9 tells of 3")
    assert [each.notice_id for each in context.notices] == ["1"]


def test_designated_families_are_of_the_vocabulary(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text('designated_events = ["family:infections"]', encoding="utf-8")
    with pytest.raises(InputError, match="designated_events must name hazard families"):
        load_policy(path)
