"""Rows of VAERS files, written by hand in the published layout."""

__all__ = ["DATA", "SYMPTOMS", "VAX", "csv_row", "data_row", "symptoms_row", "vax_row"]

DATA = (
    "VAERS_ID,RECVDATE,STATE,AGE_YRS,CAGE_YR,CAGE_MO,SEX,RPT_DATE,SYMPTOM_TEXT,DIED,DATEDIED,"
    "L_THREAT,ER_VISIT,HOSPITAL,HOSPDAYS,X_STAY,DISABLE,RECOVD,VAX_DATE,ONSET_DATE,NUMDAYS,"
    "LAB_DATA,V_ADMINBY,V_FUNDBY,OTHER_MEDS,CUR_ILL,HISTORY,PRIOR_VAX,SPLTTYPE"
)
VAX = "VAERS_ID,VAX_TYPE,VAX_MANU,VAX_LOT,VAX_DOSE,VAX_ROUTE,VAX_SITE,VAX_NAME"
SYMPTOMS = "VAERS_ID," + ",".join(f"SYMPTOM{n},SYMPTOMVERSION{n}" for n in range(1, 6))


def csv_row(header: str, **values: str) -> str:
    columns = header.lower().split(",")
    assert set(values) <= set(columns)
    return ",".join(values.get(column, "") for column in columns) + "\r\n"


def data_row(vaers_id: str = "025001", recvdate: str = "07/02/1990", **values: str) -> str:
    return csv_row(DATA, vaers_id=vaers_id, recvdate=recvdate, **values)


def vax_row(vaers_id: str = "025001", vax_type: str = "DTP", **values: str) -> str:
    return csv_row(VAX, vaers_id=vaers_id, vax_type=vax_type, **values)


def symptoms_row(vaers_id: str = "025001", symptom1: str = "Pyrexia", **values: str) -> str:
    return csv_row(SYMPTOMS, vaers_id=vaers_id, symptom1=symptom1, **values)
