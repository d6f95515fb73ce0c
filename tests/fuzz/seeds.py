"""Inputs that a fuzzer begins with: small, valid, and made here."""

import gzip
import io
import json
from collections.abc import Callable, Mapping, Sequence
from zipfile import ZipFile

from schemas.notice import Notice
from schemas.report import Report
from streams.demo import story
from streams.intake.authorities.canada_layout import DRUGS, LINKS, REACTIONS, REPORTS
from streams.runtime.wire.alerts import encode_alert
from tests.fuzz.targets import SEPARATOR
from tests.support import e2b_r2, e2b_r3, faers_quarters, vaers_files
from tests.support.alerts import safety, signal

__all__ = ["seeds_of"]

_SETTINGS = b"""
partitions = 4
[detector]
rules = ["mhra"]
age_bands = "2,18,65"
"""
_RULES = b"""
[one]
title = "One"
source = "a page"
any = [
  { statistic = "prr", op = ">=", value = 2, exit = 1.5 },
  { all = [{ statistic = "n_observed", op = ">", value = 3 },
           { column = "event", on_list = "important_events", without_list = true }] },
]
"""
_SUBSCRIPTION = b"""{"subscription_id": "a", "tier": "public", "filters": {"products": ["zinc"]},
"channel": {"kind": "webhook", "url": "https://example.org/hook"}, "budget_per_day": 5}"""
_TEXTS = (
    *("Fasturtec (Rasburicase) /01234501/", "COVID-19 .", "=HYPERLINK(1)", "07/02/1990"),
    *("20170406", "12.5", "zinc\u202e\u200bx", "ＺＩＮＣ", ".ALPHA.-Tocopherol", "2024-02"),
)


def _reports() -> list[bytes]:
    items = [entry.item for entry in story()]
    return [item.model_dump_json().encode() for item in items if isinstance(item, Report)]


def _notices() -> list[bytes]:
    items = [entry.item for entry in story()]
    return [item.model_dump_json().encode() for item in items if isinstance(item, Notice)]


def _alerts() -> list[bytes]:
    return [encode_alert(signal()), encode_alert(safety())]


def _vaers() -> list[bytes]:
    tables = (
        (vaers_files.DATA, vaers_files.data_row()),
        (vaers_files.VAX, vaers_files.vax_row()),
        (vaers_files.SYMPTOMS, vaers_files.symptoms_row()),
    )
    return [SEPARATOR.join(f"{header}\r\n{row}\r\n".encode() for header, row in tables)]


def _faers() -> list[bytes]:
    key = {"primaryid": "20011", "caseid": "2001"}
    tables: Mapping[str, Sequence[Mapping[str, str]]] = {
        "DEMO": [key],
        "DRUG": [key | {"drugname": "ZINC", "drug_seq": "1"}],
        "REAC": [key | {"pt": "Rash"}],
    }
    found = []
    for layout, quarter in ((faers_quarters.CURRENT, "18Q1"), (faers_quarters.LEGACY, "04Q1")):
        known = tables if layout is faers_quarters.CURRENT else {}
        written = faers_quarters.members(layout, quarter, {k: list(v) for k, v in known.items()})
        contents = {name[6:10]: content for name, content in written.items()}
        ordered = [contents.get(name, "") for name in ("DEMO", "DRUG", "REAC", "OUTC", "RPSR")]
        ordered += [contents.get(name, "") for name in ("THER", "INDI")]
        found.append(SEPARATOR.join(str(content).encode() for content in ordered))
    return found


def _zips() -> list[bytes]:
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        for name, content in zip(
            ("2020VAERSDATA.csv", "2020VAERSVAX.csv", "2020VAERSSYMPTOMS.csv"),
            _vaers()[0].split(SEPARATOR),
            strict=True,
        ):
            archive.writestr(name, content)
    return [packed.getvalue()]


def _documents() -> list[bytes]:
    event = {
        "safetyreportid": "10003300",
        "receivedate": "20140306",
        "patient": {"drug": [{"medicinalproduct": "A"}], "reaction": [{"reactionmeddrapt": "B"}]},
    }
    device = {
        "mdr_report_key": "7",
        "date_received": "20040801",
        "device": [{"generic_name": "PUMP"}],
        "patient": [{"sequence_number_outcome": ["1, Other"], "patient_problems": ["Pain"]}],
    }
    adverse = {
        "resourceType": "AdverseEvent",
        "id": "1",
        "actuality": "actual",
        "status": "completed",
        "code": {"text": "Rash"},
        "recordedDate": "2024-01-05",
        "subject": {"reference": "Patient/1"},
        "suspectEntity": [{"instanceCodeableConcept": {"text": "A"}}],
    }
    patient = {"resourceType": "Patient", "id": "1", "gender": "female"}
    bundle = {"resourceType": "Bundle", "entry": [{"resource": adverse}, {"resource": patient}]}
    documents = {"meta": {}, "results": [event]}, {"results": [device]}, bundle, [event], event
    return [json.dumps(one).encode() for one in documents]


def _jader() -> list[bytes]:
    tables = (
        "識別番号,報告回数,性別,年齢,報告年度・四半期\nA-1,1,女性,60歳代,2024・第一\n",
        "識別番号,報告回数,医薬品の関与,医薬品（一般名）\nA-1,1,被疑薬,アルファ\n",
        "識別番号,報告回数,有害事象,転帰\nA-1,1,発疹,死亡\n",
        "識別番号,報告回数,原疾患等\nA-1,1,高血圧\n",
    )
    return [SEPARATOR.join(text.encode("cp932") for text in tables)]


def _canada() -> list[bytes]:
    rows = (
        (REPORTS, {"report_id": "11", "report_no": "11", "first_received": "2014-03-06"}),
        (DRUGS, {"report_id": "11", "name": "ALFA", "role": "Suspect"}),
        (REACTIONS, {"report_id": "11", "term": "Rash"}),
        (LINKS, {"report_id": "11", "kind": "Duplicate", "other_no": "12"}),
    )
    return [
        SEPARATOR.join(
            "$".join(f'"{row.get(name, "")}"' for name in table.names or ()).encode()
            for table, row in rows
        )
    ]


_MAUDE_TABLES = (
    b"MDR_REPORT_KEY|EVENT_KEY|DATE_RECEIVED|EVENT_TYPE\n7|70|08/01/2004|IN\n",
    b"MDR_REPORT_KEY|GENERIC_NAME\n7|PUMP\n",
    b"MDR_REPORT_KEY|SEQUENCE_NUMBER_OUTCOME\n7|1. L; 2. R\n",
    b"MDR_REPORT_KEY|DEVICE_PROBLEM_CODE\n7|1008\n",
)
_LISTING = (
    b"EU Local Number,EV Gateway Receipt Date,Reaction List PT (Duration),"
    b"Suspect/interacting Drug List (Drug Char)\nEU-EC-1,2024-03-31,"
    b'"Rash (2d - Unknown - ),<BR><BR>Pain (n/a - Fatal - Disabling)",'
    b"ALFA [ALFA] (S - n/a - Unknown - [n/a - 1mg - Oral])\n"
)
_MAPPING = b"""[source]
date_formats = ["%Y%m%d"]
[report]
case_id = "case"
first_received = "day"
[[products]]
substances = { column = "drug", split = ";" }
[[reactions]]
term = "event"
"""

_SEEDS: Mapping[str, Callable[[], list[bytes]]] = {
    "native": lambda: [b"\n".join(_reports()[:3]), *_reports()[:4]],
    "native_gzip": lambda: [gzip.compress(_reports()[0], mtime=0)],
    "archive": _zips,
    "vaers": _vaers,
    "faers": _faers,
    "e2b": lambda: [
        e2b_r3.batch_of([e2b_r3.message_of(e2b_r3.REPORT)]),
        e2b_r2.batch_of([e2b_r2.message_of()] * 2),
        e2b_r2.batch_of([e2b_r2.message_of(organisation="FDA-Public Use")]),
    ],
    "document": _documents,
    "jader": _jader,
    "canada": _canada,
    "maude": lambda: [SEPARATOR.join(_MAUDE_TABLES)],
    "listing": lambda: [_LISTING, b"case,day,drug,event\n1,20240102,A,Rash\n"],
    "mapping": lambda: [_MAPPING],
    "message": lambda: _reports()[:6],
    "notice": lambda: _notices()[:4],
    "alert": _alerts,
    "settings": lambda: [_SETTINGS, _RULES],
    "controls": lambda: [b"drug,event\nzinc,rash\niron,fever\n"],
    "audit": lambda: [b'{"schema_version":"1.0","number":1,"at":"2024-01-01T00:00:00Z"}\n'],
    "subscription": lambda: [_SUBSCRIPTION],
    "text": lambda: [each.encode() for each in _TEXTS],
}


def seeds_of(target: str) -> list[bytes]:
    """Return the first inputs of a target."""
    return _SEEDS[target]()
