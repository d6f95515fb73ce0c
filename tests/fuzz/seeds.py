"""Inputs that a fuzzer begins with: small, valid, and made here."""

import gzip
import io
from collections.abc import Callable, Mapping, Sequence
from zipfile import ZipFile

from schemas.notice import Notice
from schemas.report import Report
from streams.demo import story
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
