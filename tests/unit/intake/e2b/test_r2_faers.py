"""The FAERS quarterly files in XML give the cases of those in ASCII."""

from typing import Any

import pytest

from tests.support.e2b_r2 import DOCTYPE, DRUG, FIELDS, batch_of, message_of
from tests.support.e2b_reading import read, read_one

CASE = FIELDS | {
    "safetyreportid": "10003304",
    "safetyreportversion": "3",
    "companynumb": "US-ACME-7",
    "receivedate": "20140312",
    "receiptdate": "20140310",
}
DUPLICATE = (
    "<reportduplicate><duplicatesource>ACME</duplicatesource>"
    "<duplicatenumb>US-ACME-7</duplicatenumb></reportduplicate>"
)


def faers(fields: dict[str, str], **parts: Any) -> str:
    return message_of(fields, organisation="FDA-Public Use", **parts)


LAYOUTS = {  # flags of 2012 are 1 or 2, those of 2022 present or absent
    "2012": batch_of([faers(CASE, extra=DUPLICATE, substances=())], doctype=""),
    "2022": batch_of(
        [
            faers(
                {name: value for name, value in CASE.items() if name != "seriousnessdeath"},
                extra=DUPLICATE,
                substances=(),
            )
        ],
        encoding="UTF-8",
        doctype=DOCTYPE,
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_message_has_the_identity_of_the_case_in_ascii(layout: str) -> None:
    report = read_one(LAYOUTS[layout])
    assert (report.source, report.case_id, report.version) == ("faers", "FAERS-10003304", 3)
    assert report.message_id == "000100033043"
    assert (report.sender, report.sender_case_id) == ("ACME", "US-ACME-7")
    assert (report.worldwide_id, report.other_ids) == (None, ())
    assert report.seriousness == ("hospitalisation",)
    assert str(report.latest_received) == "2014-03-12"


def test_substances_are_parted_as_fda_joins_them() -> None:
    names = ("SULFAMETHOXAZOLE\\TRIMETHOPRIM",)
    drugs = (DRUG, DRUG | {"medicinalproduct": "BAKTAR /00086101/"})
    message = faers(CASE, drugs=drugs, substances=names)
    products = read_one(batch_of([message])).products
    assert {each.substances for each in products} == {("SULFAMETHOXAZOLE", "TRIMETHOPRIM")}
    message = faers(CASE, drugs=drugs[1:], substances=())
    [product] = read_one(batch_of([message])).products
    assert product.substances == ("BAKTAR",)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (
            {"safetyreportid": "DE-1"},
            "safetyreportid (A.1.0.1): must be the number of a FAERS case; got 'DE-1'",
        ),
        (
            {"safetyreportversion": "100"},
            "safetyreportversion: must be a number from 1 to 99; got '100'",
        ),
    ],
)
def test_a_number_that_is_none_of_fda_is_rejected(changed: dict[str, str], reason: str) -> None:
    [rejected] = read(batch_of([faers(CASE | changed)]))[1]
    assert rejected.reason == reason


def test_the_header_tells_if_the_message_does_not() -> None:
    message = message_of(CASE, organisation="")
    assert read_one(batch_of([message], sender="FDA-PUBLIC USE")).source == "faers"
    assert read_one(batch_of([message.replace("20140310", "20140312")])).source == "e2b"
