"""Histories of cases: versions, links and releases in any order, among them every exclusion."""

from datetime import date, timedelta

from hypothesis import strategies as st

from schemas.link import CaseLink
from schemas.product import Facility, Product
from schemas.release import Release, ReleaseMarker
from schemas.report import Link, Patient, Reaction, Report, Reporter, Revision
from schemas.vocabulary import (
    LinkBasis,
    LinkKind,
    LinkState,
    Outcome,
    ProductRole,
    Qualification,
    RevisionKind,
    Seriousness,
    Sex,
    VerificationState,
)

# Names as sent: what each counts under, and how it is shown, written out by hand.
SUBSTANCES = {
    "aspirin": ("aspirin", "aspirin"),
    "ASPIRIN .": ("aspirin", "ASPIRIN"),
    "ACME (Aspirin)": ("aspirin", "Aspirin"),
    "IBUPROFEN /00109201/": ("ibuprofen", "IBUPROFEN"),
    "ibuprofen": ("ibuprofen", "ibuprofen"),
    "ZINC": ("zinc", "ZINC"),
    "zinc": ("zinc", "zinc"),
    "lot:EX1": ("lot: ex1", "lot: EX1"),
}
TERMS = {
    "Rash": ("rash", "Rash"),
    "RASH": ("rash", "RASH"),
    "rash\u200b;": ("rash", "rash"),
    "NAUSEA": ("nausea", "NAUSEA"),
    "Nausea": ("nausea", "Nausea"),
    "stroke": ("stroke", "stroke"),
    "Sepsis": ("sepsis", "Sepsis"),
    "SEPSIS": ("sepsis", "SEPSIS"),
    "endocarditis": ("endocarditis", "endocarditis"),
}
# What else a case counts under, written out by hand.
CLASSES = {
    "engineered-ev": ("engineered-ev", "extracellular-vesicles", "msc-supernatant-exosome"),
    "culture-supernatant": ("culture-supernatant", "msc-supernatant-exosome"),
}
LOTS = {None: (), "ex 1": ("lot:EX1",), "EX-1": ("lot:EX1",), "B2": ("lot:B2",), "unknown": ()}
FACILITIES = {None: (), "C-A": ("facility:C-A",)}
FAMILIES = {"sepsis": ("family:infection",), "endocarditis": ("family:infection",)}
DRUGS = (
    *("aspirin", "ibuprofen", "zinc", "lot: ex1", "lot:EX1", "lot:B2", "facility:C-A"),
    *("engineered-ev", "extracellular-vesicles", "culture-supernatant", "msc-supernatant-exosome"),
)
EVENTS = (*sorted({name for name, _ in TERMS.values()}), "family:infection")
UNITS = ("lot:EX1", "lot:B2", "facility:C-A")
IS_CLASS = {code for chain in CLASSES.values() for code in chain}
DAYS = [
    date.fromisoformat(day)
    for day in (
        *("1969-12-31", "1970-01-01", "2023-12-31", "2024-01-01", "2024-01-31"),
        *("2024-02-29", "2024-03-01", "2024-03-31", "2024-01-02", "2024-04-01"),
    )
]
AGES = {None: "unknown", 0.5: "infant", 5.0: "child", 70.0: "elderly"}
INDICATIONS = (None, "acne", "pain")
COUNTRIES = {None: "unknown", "DE": "europe", "JP": "japan"}
# When a product was started and a reaction began: nothing, before, on one day, after.
STARTS = (None, date(2023, 12, 30), date(2024, 1, 2))
ONSETS = (None, None, date(2024, 1, 1), date(2024, 1, 2), date(2024, 2, 1))
ANSWERS = (None, None, True, False)
# A dictionary and a version as stated, and what an alert calls them.
CODINGS = {
    (None, None): (),
    (None, "27.0"): (),
    (" ", "27.0"): (),
    ("MedDRA", "27.0"): ("MedDRA 27.0",),
    ("MedDRA ", "\x1f27.1"): ("MedDRA 27.1",),
    ("WHO-ART", None): ("WHO-ART",),
}
SCOPES = ("a/2024", "b/2024")
RELEASED = (date(2024, 2, 1), date(2024, 3, 1), date(2024, 4, 1))
Arrival = Report | CaseLink | ReleaseMarker
SPECS = ("cumulative", "month", "quarter", "sliding:2", "sliding:31", "sliding:400")


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Any version of one of eight cases: most are counted, each exclusion occurs."""
    rarely = st.sampled_from([False, False, False, False, True])
    first = draw(st.sampled_from(DAYS))
    roles = st.sampled_from(["suspect", "suspect", "interacting", "concomitant"]).map(ProductRole)
    courses = {
        "lot": st.sampled_from(list(LOTS)),
        "first_given": st.sampled_from(STARTS),
        "dechallenge": st.sampled_from(ANSWERS),
        "rechallenge": st.sampled_from(ANSWERS),
    }
    product = st.builds(
        Product,
        substances=st.sampled_from(list(SUBSTANCES)).map(lambda drug: (drug,)),
        role=roles,
        indication=st.sampled_from(INDICATIONS),
        **courses,
    )
    of_domain = st.builds(
        Product,
        product_class=st.sampled_from(list(CLASSES)),
        facility=st.sampled_from([None, Facility(facility_id="C-A")]),
        role=roles,
        **courses,
    )
    reaction = st.builds(
        lambda term, fatal, onset, coding: Reaction(
            term=term,
            outcome=Outcome("fatal" if fatal else "unknown"),
            onset=onset,
            dictionary=coding[0],
            dictionary_version=coding[1],
        ),
        st.sampled_from(list(TERMS)),
        rarely,
        st.sampled_from(ONSETS),
        st.sampled_from(list(CODINGS)),
    )
    revision = Revision(kind=RevisionKind.NULLIFICATION, reason="sent in error")
    master = Link(kind=LinkKind.DUPLICATE_OF, case_id="A")
    return Report(
        case_id=draw(st.sampled_from("ABCDEFGH")),
        version=draw(st.integers(1, 3)),
        message_id=draw(st.sampled_from(["", "m1", "m2"])),
        first_received=first,
        latest_received=first + timedelta(days=draw(st.sampled_from([0, 0, 0, 0, 1, 45]))),
        revision=revision if draw(rarely) else None,
        links=(master,) if draw(rarely) else (),
        verification=VerificationState("contested" if draw(rarely) else "hcp_confirmed"),
        products=tuple(draw(st.lists(product | of_domain, max_size=3))),
        reactions=tuple(draw(st.lists(reaction, max_size=3))),
        seriousness=tuple(draw(st.lists(st.sampled_from(Seriousness), max_size=1))),
        patient=Patient(
            age_years=draw(st.sampled_from(list(AGES))), sex=draw(st.sampled_from(Sex))
        ),
        occurrence_country=draw(st.sampled_from(list(COUNTRIES))),
        sender=draw(st.sampled_from([None, "PHARMA"])),
        release=draw(st.none() | releases()),
        reporter=Reporter(qualification=draw(st.sampled_from(Qualification))),
    )


def releases() -> st.SearchStrategy[Release]:
    """A release of one of two scopes."""
    return st.builds(Release, scope=st.sampled_from(SCOPES), released_on=st.sampled_from(RELEASED))


def release_markers() -> st.SearchStrategy[ReleaseMarker]:
    """The end of a release, whether or not reports of it are sent before."""
    return st.builds(
        ReleaseMarker, scope=st.sampled_from(SCOPES), released_on=st.sampled_from(RELEASED)
    )


@st.composite
def case_links(draw: st.DrawFn) -> CaseLink:
    """Any decision on one of the eight cases, whether reported or not, its number used at will."""
    basis = draw(st.sampled_from(LinkBasis))
    case_id, master = draw(st.permutations("ABCDEFGH"))[:2]
    return CaseLink(
        case_id=case_id,
        master_case_id=master,
        state=draw(st.sampled_from([LinkState.APPLIED, *LinkState])),
        basis=basis,
        decision=draw(st.integers(1, 3)),
        decided_on=draw(st.sampled_from(DAYS)),
        decided_by="test",
        reason="test",
        score=0.5 if basis is LinkBasis.PROBABLE else None,
    )


@st.composite
def arrivals(draw: st.DrawFn) -> list[Arrival]:
    """Messages in any order, some more than once; half of the time by day of receipt."""
    sent: list[Arrival] = draw(st.lists(reports(), min_size=1, max_size=18))
    sent += draw(st.lists(case_links(), max_size=8))
    sent += draw(st.lists(release_markers(), max_size=3))
    again = draw(st.lists(st.sampled_from(sent), max_size=8))
    arrived = draw(st.permutations(sent + again))
    if draw(st.booleans()):
        arrived = sorted(arrived, key=day_of)
    return arrived


def day_of(message: Arrival) -> date:
    if isinstance(message, ReleaseMarker):
        return message.released_on
    return message.decided_on if isinstance(message, CaseLink) else message.latest_received
