"""FAERS quarters for tests: rows by column name, in the legacy and the current layout."""

from collections.abc import Iterable

from schemas.rejected import Rejected
from schemas.report import Report
from streams.intake.faers.reader import read_faers
from tests.support.archives import ArchiveOf

CURRENT = {
    "DEMO": "primaryid caseid caseversion i_f_code event_dt mfr_dt init_fda_dt fda_dt rept_cod "
    "auth_num mfr_num mfr_sndr lit_ref age age_cod age_grp sex e_sub wt wt_cod rept_dt to_mfr "
    "occp_cod reporter_country occr_country",
    "DRUG": "primaryid caseid drug_seq role_cod drugname prod_ai val_vbm route dose_vbm "
    "cum_dose_chr cum_dose_unit dechal rechal lot_num exp_dt nda_num dose_amt dose_unit dose_form "
    "dose_freq",
    "REAC": "primaryid caseid pt drug_rec_act",
    "OUTC": "primaryid caseid outc_cod",
    "RPSR": "primaryid caseid rpsr_cod",
    "THER": "primaryid caseid dsg_drug_seq start_dt end_dt dur dur_cod",
    "INDI": "primaryid caseid indi_drug_seq indi_pt",
}
LEGACY = {
    "DEMO": "ISR CASE I_F_COD FOLL_SEQ IMAGE EVENT_DT MFR_DT FDA_DT REPT_COD MFR_NUM MFR_SNDR AGE "
    "AGE_COD GNDR_COD E_SUB WT WT_COD REPT_DT OCCP_COD DEATH_DT TO_MFR CONFID REPORTER_COUNTRY",
    "DRUG": "ISR DRUG_SEQ ROLE_COD DRUGNAME VAL_VBM ROUTE DOSE_VBM DECHAL RECHAL LOT_NUM EXP_DT "
    "NDA_NUM",
    "REAC": "ISR PT",
    "OUTC": "ISR OUTC_COD",
    "RPSR": "ISR RPSR_COD",
    "THER": "ISR DRUG_SEQ START_DT END_DT DUR DUR_COD",
    "INDI": "ISR DRUG_SEQ INDI_PT",
}

Values = dict[str, str]
Tables = dict[str, list[Values | str]]


def line(layout: dict[str, str], table: str, values: Values | str) -> str:
    """A row of a table; the identity of report 100 (case 10) unless it says otherwise."""
    if isinstance(values, str):
        return values
    columns = layout[table].lower().split()
    filled = {"primaryid": "10012", "caseid": "1001", "isr": "500", "case": "50"}
    filled |= {"caseversion": "2", "fda_dt": "20170406", "role_cod": "PS", "e_sub": "Y"} | values
    assert set(values) <= set(columns)
    return "$".join(filled.get(column, "") for column in columns)


def members(
    layout: dict[str, str], quarter: str, tables: Tables, *, end: str = "\r\n", surplus: str = ""
) -> dict[str, str | bytes]:
    """The files of a quarter; every table is there, if only with its header."""
    found: dict[str, str | bytes] = {}
    for table, columns in layout.items():
        rows = [line(layout, table, values) + surplus for values in tables.get(table, [])]
        content = "".join(row + end for row in ["$".join(columns.split()), *rows])
        found[f"ascii/{table}{quarter}.txt"] = content
    return found


def joined_quarter(quarter: str) -> dict[str, str | bytes]:
    """The files of a quarter whose two DRUG rows share a line."""
    keys = [{"primaryid": f"{case}1", "caseid": case} for case in ("2001", "2002")]
    rows = [line(CURRENT, "DRUG", key | {"drugname": "ZINC"}) for key in keys]
    tables: Tables = {
        "DEMO": [key | {"caseversion": "1"} for key in keys],
        "DRUG": ["".join(rows)],
        "REAC": [key | {"pt": "Rash"} for key in keys],
    }
    return members(CURRENT, quarter, tables)


class Quarter:
    """Writes and reads a quarter in the current layout."""

    def __init__(self, archive_of: ArchiveOf) -> None:
        self.archive_of = archive_of

    def read(self, **tables: list[Values | str]) -> tuple[list[Report], list[Rejected]]:
        tables.setdefault("DEMO", [{}])
        return split(read_faers(self.archive_of("q.zip", members(CURRENT, "17Q2", tables))))


def split(found: Iterable[Report | Rejected]) -> tuple[list[Report], list[Rejected]]:
    every = list(found)
    return (
        [item for item in every if isinstance(item, Report)],
        [item for item in every if isinstance(item, Rejected)],
    )
