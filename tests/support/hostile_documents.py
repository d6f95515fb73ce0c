"""Hostile JSON documents, and hostile tables of authorities."""

import json
from collections.abc import Mapping

from tests.support.hostile_files import DENSE, MIB, Make, Pieces, cut, file_of, zip_of

__all__ = ["HOSTILE_DOCUMENTS"]

_REACTION = [{"reactionmeddrapt": "Nausea"}]
_DRUG = [{"medicinalproduct": "ALFADRUG", "drugcharacterization": "1"}]
_EVENT = json.dumps(
    {
        "safetyreportid": "10003300",
        "receivedate": "20140306",
        "patient": {"drug": _DRUG, "reaction": _REACTION},
    }
).encode()
_BEGINNING = b'{"meta": {}, "results": [' + _EVENT
_TOO_LONG = "an item must have at most 1048576 bytes"
_NOT_WHOLE = "must be a whole JSON document; got its end after "


def _openfda(*pieces: Pieces, name: str = "events.json", end: bytes = b"]}") -> Make:
    """Return a maker of a download: one good event, then these pieces."""
    return file_of(name, [_BEGINNING, *(part for each in pieces for part in each), end])


_ADVERSE_EVENT = (
    b'{"resourceType": "AdverseEvent", "id": "1", "status": "completed", "actuality": "actual", '
    b'"subject": {"reference": "Patient/1"}, "recordedDate": "2024-01-05", '
    b'"code": {"text": "Rash"}, '
    b'"suspectEntity": [{"instanceReference": {"reference": "MedicationRequest/m"}}]}'
)
_DEEPER = b'[{"url": "a", "extension": '
_NESTED = _DEEPER * 30_000 + b"[]" + b"}]" * 30_000
_NESTED_LESS = _DEEPER * 200 + b"[]" + b"}]" * 200


def _fhir(*resources: bytes) -> Make:
    """Return a maker of a bundle: one good adverse event, then these resources."""
    entries = b",".join(b'{"resource": ' + one + b"}" for one in (_ADVERSE_EVENT, *resources))
    return file_of("bundle.json", [b'{"resourceType": "Bundle", "entry": [', entries, b"]}"])


def _jader(*rows: bytes) -> dict[str, Pieces]:
    """Return the members of an archive: one good case, then these pieces of demo."""
    demo = "識別番号,報告回数,性別,年齢,体重,報告年度・四半期,報告の種類,報告者の資格\r\n"
    demo += "A-1,1,女性,60歳代,50kg台,2024・第一,自発報告,医師\r\n"
    drug = "識別番号,報告回数,医薬品の関与,医薬品（一般名）\r\nA-1,1,被疑薬,アルファ\r\n"
    reac = "識別番号,報告回数,有害事象,転帰\r\nA-1,1,発疹,死亡\r\n"
    tables: Mapping[str, str] = {"demo": demo, "drug": drug, "reac": reac}
    found: dict[str, Pieces] = {
        f"{name}202406.csv": [text.encode("cp932")] for name, text in tables.items()
    }
    found["demo202406.csv"] = [demo.encode("cp932"), *rows]
    return found


_LISTING = (
    b"EU Local Number,EV Gateway Receipt Date,Reaction List PT (Duration),"
    b"Suspect/interacting Drug List (Drug Char)\r\n"
    b"EU-EC-1,2024-03-31,Rash (2d - Unknown - ),ALFA [ALFA] (S - n/a - Unknown - [n/a - n/a - n/a])"
    b"\r\n"
)


def _listing(reactions: bytes, drugs: bytes, number: int) -> Make:
    """Return a maker of a line listing: one good case, then so many with these lists."""
    rows = [
        b"EU-EC-%d,2024-03-31,%b,%b\r\n" % (place, reactions, drugs)
        for place in range(2, number + 2)
    ]
    return file_of("listing.csv", [_LISTING, *rows])


HOSTILE_DOCUMENTS: tuple[tuple[str, Make, str, int | None], ...] = (
    (
        "openFDA: an event of 1 GiB",
        _openfda([b',{"a": "'], [DENSE] * 1_024, [b'"}'], name="events.json.gz"),
        *(_TOO_LONG, 1),
    ),
    (
        "openFDA: a zip file packed 1,000 times",
        zip_of({"events.json": [_BEGINNING, *[b" " * MIB] * 512, b"]}"]}),
        *("a member must be packed at most 200 times", None),
    ),
    (
        "openFDA: nested 10,000,000 deep",
        _openfda([b',{"a": '], [b"[" * 1_000_000] * 10, end=b""),
        *(_NOT_WHOLE, None),
    ),
    (
        "openFDA: an event nested 900,000 deep",
        _openfda([b',{"patient": ', b"[" * 450_000, b"]" * 450_000, b"}"]),
        *("event: ", 1),
    ),
    ("openFDA: cut off", cut(_openfda([b"," + _EVENT] * 1_000), 0.7), *(_NOT_WHOLE, None)),
    (
        "openFDA: a quote that is not closed",
        _openfda([b',{"safetyreportid: "1"}'], [b"," + _EVENT] * 1_000),
        *(_NOT_WHOLE, None),
    ),
    (
        "openFDA: 300,000 empty events",
        _openfda([b",{}"] * 300_000),
        *("safetyreportid must be stated", 300_000),
    ),
    (
        "openFDA: more brackets closed than opened",
        _openfda(end=b"]}" + b"]" * 1_000_000),
        *("got more closing brackets than opening", None),
    ),
    (
        "openFDA: bytes that are no UTF-8",
        _openfda([b',{"safetyreportid": "\xff\xfe"}']),
        *("event: ", 1),
    ),
    (
        "JSON array: 10,000,000 numbers",
        file_of("reports.json", [b"[{}", *[b",7" * 1_000_000] * 10, b"]"]),
        *("at least one report must be accepted", None),
    ),
    (
        "FHIR: extensions nested 30,000 deep",
        _fhir(_ADVERSE_EVENT[:-1] + b', "extension": ' + _NESTED + b"}"),
        *("resource: must be a JSON object", 1),
    ),
    (
        "FHIR: extensions nested 200 deep",
        _fhir(_ADVERSE_EVENT[:-1] + b', "extension": ' + _NESTED_LESS + b"}"),
        *("cases counted", 1),
    ),
    (
        "FHIR: 300,000 patients",
        _fhir(*[b'{"resourceType": "Patient", "id": "%d"}' % n for n in range(300_000)]),
        *("at most 200000 patients and products are held", None),
    ),
    (
        "FHIR: a medication that refers to itself",
        _fhir(
            b'{"resourceType": "MedicationRequest", "id": "m", '
            b'"medicationReference": {"reference": "MedicationRequest/m"}}'
        ),
        *("cases counted", 0),
    ),
    (
        "JADER: a line of 1 GiB",
        zip_of(_jader(*[DENSE] * 1_024)),
        *("a line must have at most 1048576 bytes", 1),
    ),
    (
        "JADER: an open quote on each of 300,000 lines",
        zip_of(_jader(b'x","\r\n' * 300_000)),
        *("must be quoted CSV; got so many unmatched quotes", None),
    ),
    (
        "JADER: bytes that are no CP932",
        zip_of(_jader(b"A-2,1,\xff\xfd\x80,\xa0,,2024\x81E\x91\xe6\x88\xea,,\r\n")),
        *("cases counted", 0),
    ),
    (
        "EudraVigilance: 100 lists of 40,000 dashes and spaces",
        _listing(b" - " * 40_000, b"(S - " * 20_000, 100),
        *("a reaction must be 'PT (Duration - Outcome - Seriousness)'", 100),
    ),
    (
        "EudraVigilance: 100 lists of 100,000 brackets",
        _listing(b"Rash (n/a - Unknown - )", b"[" * 50_000 + b"(" * 50_000, 100),
        *("a drug must be 'NAME [SUBSTANCE]", 100),
    ),
    (
        "EudraVigilance: a field of 900,000 spaces",
        _listing(b" " * 900_000, b"", 1),
        *("field larger than field limit", 1),
    ),
)
"""Name, maker, what the error or the reason of the rejects says, and number of rejects."""
