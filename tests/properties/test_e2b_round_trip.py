"""A report written as E2B(R3) and read again is the same in all that the elements can carry."""

import io
from collections import Counter
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.product import Product, Relatedness
from schemas.report import Link, OtherId, Patient, Reaction, Report, Reporter, Revision
from schemas.vocabulary import (
    ActionTaken,
    AgeGroup,
    LinkKind,
    Outcome,
    ProductRole,
    Qualification,
    ReportType,
    RevisionKind,
    Seriousness,
    Sex,
    VerificationState,
)
from streams.intake.e2b.codes import KINDS
from streams.intake.e2b.reader import read_document
from tests.support.e2b_r3 import batch_of, message_of

WORD = st.text(st.sampled_from("aZ0éß薬<&>\"'-. "), min_size=1, max_size=12).filter(
    lambda text: text == text.strip() and text.strip()
)
CODE = st.integers(10_000_000, 10_099_999).map(str)
DAY = st.dates(date(1900, 1, 1), date(2099, 12, 31))
RANK = list(Seriousness)
COUNTRY = st.sampled_from(["DE", "JP", "US", "BR"])


TEXT = st.none() | WORD
PRODUCT = st.builds(
    Product,
    verbatim=TEXT,
    substances=st.lists(WORD, min_size=1, max_size=3, unique=True).map(tuple),
    role=st.sampled_from(ProductRole),
    indication=st.none() | CODE,
    indication_verbatim=TEXT,
    route=TEXT,
    dose=st.none() | st.sampled_from(["10 mg", "0.5 {DF}", "daily"]),
    first_given=st.none() | DAY,
    last_given=st.none() | DAY,
    lot=TEXT,
    manufacturer=TEXT,
    licence=TEXT,
    action_taken=st.sampled_from(ActionTaken),
    rechallenge=st.sampled_from([None, True, False]),
)
REACTION = st.builds(
    lambda code, **fields: Reaction(term=code, code=code, dictionary="MedDRA", **fields),
    CODE,
    verbatim=TEXT,
    dictionary_version=st.none() | st.sampled_from(["25.0", "27.1"]),
    onset=st.none() | DAY,
    onset_days=st.none() | st.integers(0, 9_999),
    outcome=st.sampled_from(Outcome),
)
PATIENT = st.builds(
    Patient,
    age_years=st.none() | st.integers(0, 1_500).map(lambda tenths: tenths / 10),
    age_group=st.none() | st.sampled_from(AgeGroup),
    sex=st.sampled_from(Sex),
    weight_kg=st.none() | st.integers(1, 7_000).map(lambda tenths: tenths / 10),
)
REPORTER = st.builds(
    lambda qualification, country: Reporter(
        qualification=qualification, kind=KINDS[qualification], country=country
    ),
    st.sampled_from(Qualification),
    st.none() | COUNTRY,
) | st.builds(Reporter, country=st.none() | COUNTRY)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    first, latest = sorted((draw(DAY), draw(DAY)))
    number = draw(WORD)
    products = draw(st.lists(PRODUCT, min_size=1, max_size=3))
    products[0] = products[0].model_copy(update={"role": ProductRole.SUSPECT})
    revision = draw(
        st.none() | st.builds(Revision, kind=st.sampled_from(RevisionKind), reason=WORD)
    )
    reactions = draw(st.lists(REACTION, min_size=1, max_size=3))
    assessments = st.builds(
        Relatedness,
        reaction=st.sampled_from([each.term for each in reactions]),
        source=TEXT,
        method=TEXT,
        result=WORD,
    )
    products = [
        each.model_copy(update={"relatedness": tuple(draw(st.lists(assessments, max_size=2)))})
        for each in products
    ]
    return Report(
        case_id=number,
        worldwide_id=number,
        source="e2b",
        sender=draw(WORD),
        sender_case_id=draw(TEXT),
        other_ids=tuple(draw(st.lists(st.builds(OtherId, source=TEXT, case_id=WORD), max_size=2))),
        report_type=draw(st.sampled_from(ReportType)),
        first_received=first,
        latest_received=latest,
        revision=revision,
        reporter=draw(REPORTER),
        occurrence_country=draw(st.none() | COUNTRY),
        patient=draw(PATIENT),
        products=tuple(products),
        reactions=tuple(reactions),
        seriousness=tuple(sorted(draw(st.sets(st.sampled_from(Seriousness))), key=RANK.index)),
        verification=draw(
            st.sampled_from([VerificationState.VALID_ICSR, VerificationState.HCP_CONFIRMED])
        ),
        links=tuple(
            Link(kind=LinkKind.RELATED, case_id=each) for each in draw(st.lists(WORD, max_size=2))
        ),
    )


def read(raw: bytes) -> list[Report]:
    unmapped: Counter[str] = Counter()
    found = list(read_document(io.BufferedReader(io.BytesIO(raw)), "batch.xml", unmapped))
    assert not unmapped
    assert all(isinstance(each, Report) for each in found), found
    return [each for each in found if isinstance(each, Report)]


@given(st.lists(reports(), min_size=1, max_size=3), st.sampled_from(["", "hl7"]))
@settings(max_examples=60, derandomize=True)
def test_writing_and_reading_loses_nothing_that_the_elements_carry(
    written: list[Report], prefix: str
) -> None:
    found = read(batch_of(map(message_of, written), prefix=prefix))
    assert [each.model_copy(update={"message_id": ""}) for each in found] == written
