"""VAERS archives, written by hand in the published layout."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pytest

from schemas.errors import InputError, RejectCode
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.vocabulary import ProductRole, ReportType, Seriousness, Sex
from streams.intake.vaers import read_vaers
from tests.support.archives import ArchiveOf
from tests.support.vaers_files import (
    DATA,
    SYMPTOMS,
    VAX,
    data_row,
    symptoms_row,
    vax_row,
)


@pytest.fixture
def archive(archive_of: ArchiveOf) -> "Archive":
    return Archive(archive_of)


class Archive:
    """Writes and reads an archive of one year."""

    def __init__(self, archive_of: ArchiveOf) -> None:
        self._archive_of = archive_of

    def write(
        self,
        data: Iterable[str | bytes],
        vax: Iterable[str] = (),
        symptoms: Iterable[str] = (),
        data_header: str = DATA,
    ) -> Path:
        rows = [row.encode() if isinstance(row, str) else row for row in data]
        return self._archive_of(
            "1990VAERSData.zip",
            {
                "1990VAERSVAX.csv": "".join([VAX, "\r\n", *vax]),
                "1990VAERSSYMPTOMS.csv": "".join([SYMPTOMS, "\r\n", *symptoms]),
                "1990VAERSDATA.csv": b"".join([data_header.encode(), b"\r\n", *rows]),
            },
        )

    def read(
        self,
        data: Iterable[str | bytes],
        vax: Iterable[str] = (),
        symptoms: Iterable[str] = (),
        data_header: str = DATA,
    ) -> tuple[list[Report], list[Rejected]]:
        found = list(read_vaers(self.write(data, vax, symptoms, data_header)))
        reports = [each for each in found if isinstance(each, Report)]
        return reports, [each for each in found if isinstance(each, Rejected)]


def test_a_report_is_read_from_three_files(archive: Archive) -> None:
    [report], rejects = archive.read(
        [
            data_row(
                state="WI",
                age_yrs="0.2",
                sex="F",
                symptom_text='"secret ""words"", of a parent"',
                l_threat="Y",
                hospital="Y",
                x_stay="Y",
                vax_date="06/04/1990",
                onset_date="06/05/1990",
            )
        ],
        [
            vax_row(
                vax_type=" DTP ",
                vax_manu="PFIZER\\WYETH",
                vax_lot="9Q01042",
                vax_dose="0",
                vax_route="IM",
                vax_name="DTP (NO BRAND NAME)",
            ),
            vax_row(vaers_id="25001", vax_type="OPV"),
        ],
        [
            symptoms_row(symptomversion1="8.10", symptom5=" Agitation ", symptomversion5="14.00"),
            symptoms_row(symptom1="Rash"),
        ],
    )

    assert rejects == []
    assert (report.case_id, report.version, report.source) == ("VAERS-25001", 1, "vaers")
    assert report.report_type is ReportType.SPONTANEOUS
    assert report.first_received == report.latest_received == date(1990, 7, 2)
    assert report.occurrence_country == "US"
    assert report.occurrence_subdivision == "US-WI"
    assert (report.patient.age_years, report.patient.sex) == (0.2, Sex.FEMALE)
    assert report.seriousness == (Seriousness.LIFE_THREATENING, Seriousness.HOSPITALISATION)
    dtp, opv = report.products
    assert dtp.substances == ("DTP",)
    assert dtp.verbatim == "DTP (NO BRAND NAME)"
    assert dtp.manufacturer == "PFIZER\\WYETH"
    assert (dtp.lot, dtp.dose, dtp.route) == ("9Q01042", "doses before: 0", "IM")
    assert dtp.first_given == opv.first_given == date(1990, 6, 4)
    assert dtp.role is opv.role is ProductRole.SUSPECT
    assert (opv.substances, opv.verbatim, opv.lot, opv.dose) == (("OPV",), None, None, None)
    assert [(each.term, each.dictionary_version) for each in report.reactions] == [
        ("Pyrexia", "8.10"),
        ("Agitation", "14.00"),
        ("Rash", None),
    ]
    assert {each.dictionary for each in report.reactions} == {"MedDRA"}
    assert {each.onset for each in report.reactions} == {date(1990, 6, 5)}
    assert "secret" not in report.model_dump_json()


def test_columns_are_found_by_name_and_new_ones_are_accepted(archive_of: ArchiveOf) -> None:
    path = archive_of(
        "any.zip",
        {
            "x/VAERSDATA.CSV": b"\xef\xbb\xbf" + b"BIRTH_DEFECT,FORM_VERS,SEX,RECVDATE,VAERS_ID\n"
            b"Y,2,M,01/02/2021,0916600\n",
            "x/VAERSSYMPTOMS.CSV": "SYMPTOMVERSION1,SYMPTOM1,VAERS_ID\n23.1,Rash,916600\n",
            "x/VAERSVAX.CSV": "ORDER,VAX_DOSE_SERIES,VAX_TYPE,VAERS_ID\n1,7+,COVID19,0916600\n",
        },
    )

    [report, _] = read_vaers(path)

    assert isinstance(report, Report)
    assert report.case_id == "VAERS-916600"
    assert report.seriousness == (Seriousness.CONGENITAL_ANOMALY,)
    assert report.patient.sex is Sex.MALE
    assert report.products[0].dose == "dose in series: 7+"
    assert report.reactions[0].dictionary_version == "23.1"


def test_reports_come_in_order_of_time_then_of_case(archive: Archive) -> None:
    reports, _ = archive.read(
        [
            data_row("3", "07/01/1990"),
            data_row("20", "07/02/1990"),
            data_row("100", "07/02/1990"),
        ]
    )

    assert [report.case_id for report in reports] == ["VAERS-3", "VAERS-100", "VAERS-20"]


@pytest.mark.parametrize(
    ("values", "age"),
    [
        ({"age_yrs": "33.0"}, 33.0),
        ({"cage_yr": "2", "cage_mo": ".5"}, 2.5),
        ({"cage_mo": ".3"}, 0.3),
        ({"age_yrs": "999"}, None),
        ({"age_yrs": "999", "cage_yr": "9"}, 9.0),
        ({"age_yrs": "-1"}, None),
        ({"age_yrs": "nan"}, None),
        ({"cage_yr": "151"}, None),
        ({}, None),
    ],
)
def test_an_unreadable_age_is_unknown(
    values: dict[str, str], age: float | None, archive: Archive
) -> None:
    [report], rejects = archive.read([data_row(**values)])

    assert report.patient.age_years == age
    assert rejects == []


def test_unreadable_optional_values_do_not_lose_the_case(archive: Archive) -> None:
    [report], rejects = archive.read(
        [data_row(state="FR", sex="?", died="y", onset_date="13/45/1990", vax_date="June")],
        [vax_row(vax_type="", vax_name="N" * 3000, vax_lot="a\x00b" + "L" * 300)],
        [symptoms_row(symptomversion1="8.10 " * 9), symptoms_row(symptom1="")],
    )

    assert rejects == []
    assert report.occurrence_country is None
    assert report.patient.sex is Sex.UNKNOWN
    assert report.seriousness == (Seriousness.DEATH,)
    [product] = report.products
    assert product.substances == ()
    assert product.verbatim == "N" * 2000
    assert product.lot == "ab" + "L" * 198
    assert product.first_given is None
    [reaction] = report.reactions
    assert reaction.onset is None
    assert reaction.dictionary_version == "8.10 8.10 8.10 8.10"


def test_bytes_that_are_not_utf8_are_read_as_cp1252(archive: Archive) -> None:
    row = data_row(symptom_text="caf\u00e9").encode("cp1252")
    undefined = data_row("2", symptom_text="x").replace("x", "\x81").encode("latin-1")

    reports, rejects = archive.read([row, undefined])

    assert len(reports) == 2
    assert rejects == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (data_row("abc"), "VAERS_ID must be a number; got 'abc'"),
        (data_row(""), "VAERS_ID must be a number; got ''"),
        (data_row("9" * 13), "VAERS_ID must be a number; got '9999999999999'"),
        (data_row(recvdate=""), "RECVDATE must be MM/DD/YYYY; got ''"),
        (data_row(recvdate="1990-07-02"), "RECVDATE must be MM/DD/YYYY; got '1990-07-02'"),
        ("025001,07/02/1990\r\n", "a row must have 29 fields; got 2"),
        (
            data_row(state='"WI"x'),
            "a row must be quoted CSV; got ',' expected after '\"'",
        ),
    ],
)
def test_a_data_row_without_identity_is_rejected(row: str, reason: str, archive: Archive) -> None:
    [report], [rejected] = archive.read([row, data_row("2")])

    assert report.case_id == "VAERS-2"
    assert rejected == Rejected(
        source="1990VAERSData.zip!1990VAERSDATA.csv",
        position=2,
        reason=reason,
        raw=row.removesuffix("\r\n").encode(),
        code=RejectCode.SCHEMA,
    )


def test_rows_without_a_report_are_rejected_one_by_one(archive: Archive) -> None:
    _, rejects = archive.read(
        [data_row("1"), data_row("3", recvdate="?")],
        [vax_row("2"), vax_row("1"), vax_row("x"), vax_row("3")],
        [symptoms_row("2", symptom2="Rash"), "1,short\r\n"],
    )

    assert [(each.source.split("!")[1], each.position, each.reason) for each in rejects] == [
        ("1990VAERSDATA.csv", 3, "RECVDATE must be MM/DD/YYYY; got '?'"),
        ("1990VAERSVAX.csv", 2, "a VAX row must have a readable DATA row; got none for 2"),
        ("1990VAERSVAX.csv", 4, "VAERS_ID must be a number; got 'x'"),
        ("1990VAERSVAX.csv", 5, "a VAX row must have a readable DATA row; got none for 3"),
        (
            "1990VAERSSYMPTOMS.csv",
            2,
            "a SYMPTOMS row must have a readable DATA row; got none for 2",
        ),
        ("1990VAERSSYMPTOMS.csv", 3, "a row must have 11 fields; got 2"),
    ]
    assert rejects[1].raw == b"2,DTP,,,,,,"


def test_a_repeated_row_is_ignored_and_a_different_one_is_rejected(archive: Archive) -> None:
    [report], [rejected] = archive.read(
        [data_row("7", sex="F"), data_row("7", sex="F"), data_row("007", sex="M")]
    )

    assert report.patient.sex is Sex.FEMALE
    assert rejected.position == 4
    assert rejected.reason == "VAERS_ID must be that of one report; got another row for 7"


def test_a_row_has_the_line_on_which_it_starts(archive: Archive) -> None:
    text = '"first\r\nsecond, with ""quotes""\nthird"'

    reports, [rejected] = archive.read(
        [data_row("1", symptom_text=text), "\r\n", data_row("2", recvdate="?", symptom_text=text)]
    )

    assert [report.case_id for report in reports] == ["VAERS-1"]
    assert rejected.position == 6
    assert rejected.raw == data_row("2", recvdate="?", symptom_text=text).strip().encode()


@pytest.mark.parametrize("place", ["symptom_text", "splttype"])
def test_an_unmatched_quote_costs_only_its_own_line(place: str, archive: Archive) -> None:
    damaged = data_row("1", **{place: '"never closed'})
    quoted = data_row("2", symptom_text='"closed, here"')

    reports, [rejected] = archive.read([damaged, quoted, data_row("3")])

    assert [report.case_id for report in reports] == ["VAERS-2", "VAERS-3"]
    assert rejected.position == 2
    assert rejected.raw == damaged.strip().encode()

    reports, [rejected] = archive.read([damaged, data_row("2"), data_row("3")])

    assert [report.case_id for report in reports] == ["VAERS-2", "VAERS-3"]
    assert rejected.reason == "a row must be quoted CSV; got unexpected end of data"


def test_a_term_that_is_too_long_is_rejected(archive: Archive) -> None:
    [report], [rejected] = archive.read([data_row()], [], [symptoms_row(symptom2="x" * 501)])

    assert report.reactions == ()
    assert rejected.reason == "a symptom must have at most 500 characters; got 501"


def test_a_case_that_the_schema_refuses_is_rejected_with_its_row(archive: Archive) -> None:
    row = data_row("1")

    [report], [rejected] = archive.read([data_row("2"), row], [vax_row("1")] * 1001)

    assert report.case_id == "VAERS-2"
    assert rejected.position == 3
    assert rejected.raw == row.strip().encode()
    assert rejected.reason == (
        "products: Tuple should have at most 1000 items after validation, not 1001"
    )


def test_a_report_of_too_many_lots_is_rejected_with_the_limit(archive: Archive) -> None:
    vax = [vax_row(vax_lot=f"EX{number}") for number in range(101)]
    reports, [rejected] = archive.read([data_row()], vax)
    assert reports == []
    assert (rejected.position, rejected.code) == (2, RejectCode.TOO_LONG)
    assert rejected.reason.endswith("at most 100 different lots are read; got 101")


@pytest.mark.parametrize("missing", ["DATA", "VAX", "SYMPTOMS"])
def test_an_archive_without_a_file_is_refused(missing: str, archive_of: ArchiveOf) -> None:
    headers = {"DATA": DATA, "VAX": VAX, "SYMPTOMS": SYMPTOMS}
    path = archive_of(
        "part.zip", {f"VAERS{kind}.csv": headers[kind] for kind in headers if kind != missing}
    )

    with pytest.raises(
        InputError, match=rf"part\.zip: must hold a file ending in VAERS{missing}\.csv; got none$"
    ):
        list(read_vaers(path))


def test_a_file_without_its_columns_is_refused(archive: Archive) -> None:
    path = archive.write([], data_header="ID,RECVDATE")

    with pytest.raises(
        InputError,
        match=r"VAERSDATA\.csv: the first line must name the columns vaers_id, recvdate; "
        r"got no vaers_id$",
    ):
        list(read_vaers(path))


def test_several_years_in_one_archive_are_one_set_of_reports(archive_of: ArchiveOf) -> None:
    path = archive_of(
        "all.zip",
        {
            "1991VAERSDATA.csv": f"{DATA}\r\n" + data_row("2", "01/01/1991"),
            "1990VAERSDATA.csv": f"{DATA}\r\n" + data_row("1"),
            "1990VAERSVAX.csv": f"{VAX}\r\n" + vax_row("1") + vax_row("2"),
            "1990VAERSSYMPTOMS.csv": f"{SYMPTOMS}\r\n",
        },
    )

    reports = [each for each in read_vaers(path) if isinstance(each, Report)]

    assert [each.case_id for each in reports] == ["VAERS-1", "VAERS-2"]
    assert all(isinstance(each, Report) and len(each.products) == 1 for each in reports)
