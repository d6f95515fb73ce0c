"""The drugs of an E2B(R3) message: roles joined by identifier, dosages parted by lot."""

from datetime import date

import pytest

from schemas.product import Product, Relatedness
from schemas.report import Report
from schemas.vocabulary import ProductRole
from tests.support.e2b_r3 import LISTS, OBSERVATIONS, REPORT, batch_of, message_of
from tests.support.e2b_reading import read, read_one

DOSAGE = "<outboundRelationship2><substanceAdministration>"


def with_products(*products: Product) -> Report:
    return REPORT.model_copy(update={"products": products})


def dosage(lot: str = "", low: str = "", high: str = "", dose: str = "") -> str:
    lot_text = (
        "<consumable><instanceOfKind><productInstanceInstance><lotNumberText>"
        f"{lot}</lotNumberText></productInstanceInstance></instanceOfKind></consumable>"
    )
    times = f'<low value="{low}"/>' * bool(low) + f'<high value="{high}"/>' * bool(high)
    quantity = f'<doseQuantity value="{dose}" unit="mg"/>' * bool(dose)
    return (
        f"{DOSAGE}<effectiveTime><comp>{times}</comp></effectiveTime>{quantity}"
        f"{lot_text * bool(lot)}</substanceAdministration></outboundRelationship2>"
    )


def products_with(*dosages: str) -> tuple[Product, ...]:
    message = message_of(with_products(Product(verbatim="Alfadrug")))
    end = "<inboundRelationship><act>"
    assert end in message
    message = message.replace(end, "".join(dosages) + end)
    return read_one(batch_of([message])).products


def test_a_role_is_joined_by_the_identifier_of_the_drug() -> None:
    roles = list(ProductRole)
    report = with_products(*(Product(verbatim=role.value, role=role) for role in roles))
    message = message_of(report)
    start, end = message.index('<component><causalityAssessment><code code="20"'), "</component>"
    assessments = message[start:].split("</adverseEventAssessment>")[0].split(end)[:-1]
    backwards = "".join(each + end for each in reversed(assessments))
    message = message.replace("".join(each + end for each in assessments), backwards)
    found = read_one(batch_of([message])).products
    assert [(each.verbatim, each.role) for each in found] == [(role.value, role) for role in roles]


@pytest.mark.parametrize(
    ("codes", "role"),
    [("41", "suspect"), ("24", "concomitant"), ("23", "interacting"), ("31", "suspect")],
)
def test_of_several_roles_of_a_drug_the_most_suspicious_holds(codes: str, role: str) -> None:
    message = message_of(REPORT)
    start = message.index('<component><causalityAssessment><code code="20"')
    one = message[start:].split("</component>")[0] + "</component>"
    several = "".join(one.replace('<value code="1"/>', f'<value code="{code}"/>') for code in codes)
    [product] = read_one(batch_of([message.replace(one, several)])).products
    assert product.role == role


def test_a_role_that_is_no_code_is_no_role() -> None:
    message = message_of(REPORT).replace('code="20" codeSystem', 'code="20" codeSystem', 1)
    start = message.index("<causalityAssessment>")
    message = message[:start] + message[start:].replace('<value code="1"/>', '<value code="7"/>')
    [rejected] = read(batch_of([message]))[1]
    assert rejected.reason == "G.k.1: drug 1 must have a role; got nothing"


def test_the_name_stands_in_for_a_substance() -> None:
    [product] = read_one(batch_of([message_of(with_products(Product(verbatim="A")))])).products
    assert (product.verbatim, product.substances) == ("A", ("A",))


def test_each_lot_of_a_drug_is_a_product() -> None:
    first, second = products_with(
        dosage("L-77", "20240101", "20240102", "10"),
        dosage("L-78", "20240105"),
        dosage("l77", "20231231"),
        dosage("UNKNOWN", high="20240301"),
    )
    assert (first.lot, first.first_given, first.last_given, first.dose) == (
        *("L-77", date(2023, 12, 31), date(2024, 3, 1), "10 mg"),
    )
    assert (second.lot, second.first_given, second.last_given, second.dose) == (
        *("L-78", date(2024, 1, 5), None, None),
    )
    assert first.verbatim == second.verbatim == "Alfadrug"


def test_an_earlier_month_leaves_the_first_day_unknown() -> None:
    [product] = products_with(dosage(low="20240105", high="20240105"), dosage(low="202312"))
    assert (product.first_given, product.last_given) == (None, date(2024, 1, 5))


def test_the_onset_is_counted_from_the_first_suspect_dose() -> None:
    interval = (
        '<outboundRelationship1 typeCode="{}"><pauseQuantity value="{}" unit="{}"/><actReference>'
        '<id root="{}"/></actReference></outboundRelationship1>'
    )
    message = message_of(REPORT)
    start = message.index('<subjectOf2><observation><id root="') + 35
    reaction = message[start : start + 36]
    relations = "".join(
        interval.format(kind, number, unit, reaction.upper())
        for kind, number, unit in (
            *(("SAS", "2", "wk"), ("SAS", "3", "d"), ("SAS", "900", "s")),
            *(("SAE", "99", "d"), ("SAS", "x", "d")),
        )
    )
    message = message.replace(DOSAGE, relations + DOSAGE)
    assert read_one(batch_of([message])).reactions[0].onset_days == 14
    message = message.replace('<value code="1"/><subject2>', '<value code="2"/><subject2>')
    assert read_one(batch_of([message])).reactions[0].onset_days is None


def test_a_rechallenge_of_any_reaction_is_one() -> None:
    answer = (
        f'<outboundRelationship2><observation><code code="31" codeSystem="{OBSERVATIONS}"/>'
        '<value code="{}"/></observation></outboundRelationship2>'
    )

    def rechallenge(*codes: str) -> bool | None:
        return products_with(*(answer.format(code) for code in codes))[0].rechallenge

    assert [rechallenge(*codes) for codes in ("21", "2", "3", "4", "23")] == [
        *(True, False, None, None, False),
    ]


def test_relatedness_is_joined_by_drug_and_reaction() -> None:
    stated = Relatedness(reaction="10037844", source="Acme", method="WHO", result="Possible")
    products = (
        Product(verbatim="A"),
        Product(verbatim="B", relatedness=(stated, stated.model_copy(update={"source": None}))),
    )
    message = message_of(with_products(*products))
    found = read_one(batch_of([message])).products
    assert [each.relatedness for each in found] == [each.relatedness for each in products]
    elsewhere = message.replace(
        "<adverseEffectReference><id root=", "<adverseEffectReference><id x="
    )
    assert [each.relatedness for each in read_one(batch_of([elsewhere])).products] == [(), ()]


def test_a_drug_of_too_many_substances_is_rejected() -> None:
    names = tuple(f"S{number}" for number in range(201))
    drug = Product.model_construct(**Product(verbatim="A").__dict__ | {"substances": names})
    [rejected] = read(batch_of([message_of(with_products(drug))]))[1]
    assert rejected.reason.startswith("G.k.2.3.r: Tuple should have at most 200 items")


def test_an_organizer_of_another_kind_holds_no_drug() -> None:
    message = message_of(REPORT).replace(f'<code code="4" codeSystem="{LISTS}.20"/>', "", 1)
    [rejected] = read(batch_of([message]))[1]
    assert rejected.reason == "G.k.2.2: a case must have a drug; got nothing"
