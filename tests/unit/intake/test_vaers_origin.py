"""VAERS archives, written by hand: country and latest day of receipt, which their files know."""

import zipfile
from datetime import date
from pathlib import Path

import pytest

from schemas.errors import InputError, RejectCode
from schemas.rejected import Rejected
from schemas.report import Report
from streams.intake.vaers import read_vaers
from tests.support.archives import ArchiveOf
from tests.support.vaers_files import DATA, SYMPTOMS, VAX, data_row, symptoms_row, vax_row


def archive(folder: Path, data: dict[str, str], written: tuple[int, int, int]) -> Path:
    path = folder / "VAERSData.zip"
    files = data | {"2021VAERSVAX.csv": VAX, "2021VAERSSYMPTOMS.csv": SYMPTOMS}
    with zipfile.ZipFile(path, "w") as zipped:
        for name, content in files.items():
            zipped.writestr(zipfile.ZipInfo(name, (*written, 0, 0, 0)), content)
    return path


@pytest.mark.parametrize(
    ("name", "number", "state", "country"),
    [
        ("NonDomesticVAERSDATA.csv", "GBEXAMPLE INC2021000000", "", "GB"),
        ("NonDomesticVAERSDATA.csv", " jp-EXAMPLE-7", "FR", "JP"),
        ("x/NONDOMESTICVAERSDATA.CSV", "FREXAMPLE7", "CA", "FR"),
        ("NonDomesticVAERSDATA.csv", "USEXAMPLE7", "", "US"),
        ("NonDomesticVAERSDATA.csv", "PHHY2012DE000001", "", "DE"),
        ("NonDomesticVAERSDATA.csv", "PHHY2012XX000001", "", None),
        ("NonDomesticVAERSDATA.csv", "PHEXAMPLE2012DE1", "", "PH"),
        ("NonDomesticVAERSDATA.csv", "EUEXAMPLE7", "", None),
        ("NonDomesticVAERSDATA.csv", "G7EXAMPLE", "", None),
        ("NonDomesticVAERSDATA.csv", "NONE", "", None),
        ("NonDomesticVAERSDATA.csv", "NA", "", None),
        ("NonDomesticVAERSDATA.csv", "", "FR", None),
        ("2021VAERSDATA.csv", "GBEXAMPLE7", "CA", "US"),
        ("2021VAERSDATA.csv", "CO98000", "", "US"),
        ("2021VAERSDATA.csv", "GBEXAMPLE7", "fr", None),
    ],
)
def test_the_country_is_that_of_the_file_or_of_the_number(
    name: str, number: str, state: str, country: str | None, tmp_path: Path
) -> None:
    row = data_row("7", "02/01/2021", state=state, splttype=number)

    report, _ = read_vaers(archive(tmp_path, {name: f"{DATA}\r\n{row}"}, (2021, 3, 5)))

    assert isinstance(report, Report)
    assert report.occurrence_country == country
    assert report.occurrence_subdivision == ("US-CA" if name[0] == "2" and state == "CA" else None)


@pytest.mark.parametrize(
    ("name", "written", "last", "after"),
    [
        ("2021VAERSDATA.csv", (2021, 3, 5), date(2021, 3, 6), date(2021, 3, 7)),
        ("NonDomesticVAERSDATA.csv", (2021, 3, 5), date(2021, 3, 6), date(2021, 3, 7)),
        ("2021VAERSDATA.csv", (1980, 1, 1), date(2021, 12, 31), date(2022, 1, 1)),
        ("2021VAERSDATA.csv", (2000, 1, 1), date(2021, 12, 31), date(2022, 1, 1)),
    ],
)
def test_a_report_from_after_the_release_is_rejected_with_its_bytes(
    name: str, written: tuple[int, int, int], last: date, after: date, tmp_path: Path
) -> None:
    days = {"1": last, "2": after}
    rows = [data_row(number, day.strftime("%m/%d/%Y")) for number, day in days.items()]
    path = archive(tmp_path, {name: "\r\n".join([DATA, *map(str.strip, rows)])}, written)

    rejected, report, *_ = read_vaers(path)

    assert isinstance(report, Report)
    assert report.latest_received == last
    assert rejected == Rejected(
        source=f"VAERSData.zip!{name}",
        position=3,
        reason=f"RECVDATE must not be after the release of its file; got {after}",
        raw=rows[1].strip().encode(),
        code=RejectCode.FUTURE_DATE,
    )


def test_a_file_that_knows_no_day_refuses_none(tmp_path: Path) -> None:
    row = data_row("7", "02/01/2099")
    path = archive(tmp_path, {"NonDomesticVAERSDATA.csv": f"{DATA}\r\n{row}"}, (1980, 1, 1))

    [report] = read_vaers(path)

    assert isinstance(report, Report)


def test_a_bad_byte_and_hidden_characters_leave_the_names_of_other_rows(
    archive_of: ArchiveOf,
) -> None:
    rows = [
        vax_row("1", vax_type="D\u200bTP\x07", vax_name="Zoë", vax_manu="Ma\u202eker"),
        vax_row("1", vax_type="\u202e", vax_name="OPV"),
    ]
    damaged = vax_row("1", vax_type="MMR", vax_name="Zoë").encode("cp1252")
    terms = symptoms_row("1", symptom1="Ra\u200bsh", symptom2="\u202e")
    path = archive_of(
        "1990VAERSData.zip",
        {
            "1990VAERSDATA.csv": f"{DATA}\r\n{data_row('1')}",
            "1990VAERSVAX.csv": f"{VAX}\r\n{''.join(rows)}".encode() + damaged,
            "1990VAERSSYMPTOMS.csv": f"{SYMPTOMS}\r\n{terms}",
        },
    )

    report, _ = read_vaers(path)

    assert isinstance(report, Report)
    assert [(each.substances, each.verbatim) for each in report.products] == [
        (("DTP",), "Zoë"),
        ((), "OPV"),
        (("MMR",), "Zoë"),
    ]
    assert report.products[0].manufacturer == "Maker"
    assert [each.term for each in report.reactions] == ["Rash"]


def test_an_archive_with_a_damaged_file_gives_no_report(tmp_path: Path) -> None:
    content = f"{DATA}\r\n{data_row('7', '02/01/2021')}"
    path = archive(tmp_path, {"2021VAERSDATA.csv": content}, (2021, 3, 5))
    path.write_bytes(path.read_bytes().replace(SYMPTOMS.encode(), SYMPTOMS.encode()[:-1] + b"6"))

    found = []
    with pytest.raises(InputError, match=r"must be a whole zip file; got Bad CRC-32"):
        found.extend(read_vaers(path))

    assert found == []
