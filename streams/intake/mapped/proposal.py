"""Proposal of a mapping file from the names of a table's columns and their first values."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from schemas.errors import InputError
from streams.intake.delimited import Row
from streams.intake.mapped.tables import open_table
from streams.intake.text import parse_decimal

__all__ = ["propose_mapping"]

_SAMPLE = 1_000  # rows whose values are read
_DATE_FORMATS = (
    *("%Y-%m-%d", "%Y%m%d", "%d.%m.%Y", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%b-%Y"),
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"),
)
_SPLITS = (";", "|", "\\", ",")
_SEXES = {
    **dict.fromkeys(("f", "female", "w", "woman", "weiblich", "2", "女", "女性"), "female"),
    **dict.fromkeys(("m", "male", "man", "männlich", "1", "男", "男性"), "male"),
    **dict.fromkeys(("u", "unk", "unknown", "0", "9", "不明", "n/a"), "unknown"),
}
_ROLES = {
    **dict.fromkeys(("ps", "ss", "s", "suspect", "suspected", "1", "被疑薬"), "suspect"),
    **dict.fromkeys(("i", "interacting", "3", "相互作用"), "interacting"),
    **dict.fromkeys(("c", "concomitant", "2", "併用薬"), "concomitant"),
}
_OUTCOMES = {
    **dict.fromkeys(("recovered", "resolved", "recovered/resolved", "1"), "recovered"),
    **dict.fromkeys(("recovering", "recovering/resolving", "2"), "recovering"),
    **dict.fromkeys(("not recovered", "not recovered/not resolved", "3"), "not_recovered"),
    **dict.fromkeys(("recovered with sequelae", "4"), "recovered_with_sequelae"),
    **dict.fromkeys(("fatal", "death", "died", "5"), "fatal"),
    **dict.fromkeys(("unknown", "6", "0"), "unknown"),
}


@dataclass(frozen=True)
class _Field:
    """A field, the names that its columns have, and the values that it can have."""

    section: str
    name: str
    names: str  # words that a column's name has, best first, without marks between
    values: dict[str, str] | None = None
    is_number: bool = False
    is_date: bool = False
    is_split: bool = False  # whether one value may hold several


_FIELDS = (
    _Field(
        "report", "case_id", "caseid case casenumber caseno reportid safetyreportid id 識別番号"
    ),
    _Field(
        "report", "version", "version caseversion versionno reportversion 報告回数", is_number=True
    ),
    _Field(
        "report",
        "first_received",
        "firstreceived initialreceivedate receivedate received receiptdate datereceived initfdadt "
        "recvdate date",
        is_date=True,
    ),
    _Field(
        "report",
        "latest_received",
        "latestreceived lastreceived updated mostrecentdate followupdate fdadt receiptdate",
        is_date=True,
    ),
    _Field("report", "sender", "sender hospital site company manufacturersender mfrsndr"),
    _Field("report", "sender_case_id", "sendercaseid companynumb mfrnum localnumber"),
    _Field("report", "worldwide_id", "worldwideid worldwideuniquecaseidentification"),
    _Field("report", "occurrence_country", "occurrencecountry occurcountry occrcountry country"),
    _Field("patient", "age_years", "ageyears ageyrs age 年齢", is_number=True),
    _Field("patient", "sex", "sex gender patientsex 性別", _SEXES),
    _Field("patient", "weight_kg", "weightkg weight wt", is_number=True),
    _Field("products", "role", "role rolecod characterization involvement", _ROLES),
    _Field(
        "products",
        "substances",
        "substance substances activesubstance activeingredient prodai suspect suspectdrug drug "
        "drugname product medicine",
        is_split=True,
    ),
    _Field("products", "verbatim", "verbatim medicinalproduct productname tradename brandname"),
    _Field("products", "indication", "indication indipt indicationpt"),
    _Field("products", "lot", "lot lotnum lotnumber batch batchnumber"),
    _Field("products", "route", "route routeofadministration"),
    _Field("products", "dose", "dose dosage dosevbm"),
    _Field("products", "first_given", "startdate startdt firstgiven", is_date=True),
    _Field("products", "last_given", "enddate enddt lastgiven", is_date=True),
    _Field(
        "reactions",
        "term",
        "term pt preferredterm reaction reactions event events adverseevent meddrapt 有害事象",
        is_split=True,
    ),
    _Field("reactions", "dictionary_version", "meddraversion meddra dictionaryversion"),
    _Field("reactions", "onset", "onset onsetdate eventdate eventdt", is_date=True),
    _Field("reactions", "outcome", "outcome reactionoutcome 転帰", _OUTCOMES),
)


def propose_mapping(path: Path) -> str:
    """Return the text of a mapping file for a table, to be checked by a person.

    Columns are matched by their names; a date, a number or a code also by its first values. What is
    in doubt stands behind `# check`, and columns without a field are listed.

    Raises
    ------
    InputError
        The table cannot be read, or no column looks like a case, a day or an event.
    """
    with open_table(path) as table:
        names = table.header.names
        rows = [row for row in islice(table.rows, _SAMPLE) if isinstance(row, Row)]
    columns = {
        name: [row.fields[at].strip() for row in rows if row.fields[at].strip()]
        for at, name in enumerate(names)
    }
    chosen = dict(_matches(columns))
    missing = [
        f"{section}.{name}"
        for section, name in (("report", "case_id"), ("report", "first_received"))
        if (section, name) not in chosen
    ]
    if missing:
        msg = (
            f"{path}: a column must look like {' and '.join(missing)}; got {', '.join(names[:20])}"
        )
        raise InputError(msg)
    return "\n".join(_lines(path, columns, chosen)) + "\n"


def _matches(columns: dict[str, list[str]]) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield fields and their columns; a column is of one field."""
    free = {_plain(name): name for name in columns}
    for wanted in _FIELDS:
        for word in wanted.names.split():
            name = free.get(word)
            if name is not None and _fits(wanted, columns[name]):
                del free[word]
                yield (wanted.section, wanted.name), name
                break


def _plain(name: str) -> str:
    """Return a name as it is compared: without marks, spaces and capitals.

    >>> _plain("Case-ID"), _plain("date_received")
    ('caseid', 'datereceived')
    """
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).lower())


def _fits(wanted: _Field, values: Sequence[str]) -> bool:
    """Return whether most of the first values can be read as the field; a blank column fits."""
    if wanted.is_date:
        return not values or _date_format(values) is not None
    reads: Callable[[str], bool] | None = None
    if wanted.is_number:
        reads = _is_number
    return reads is None or 2 * sum(map(reads, values)) >= len(values)


def _is_number(text: str) -> bool:
    return parse_decimal(text.replace(",", ".")) is not None


def _date_format(values: Sequence[str]) -> str | None:
    """Return the format that reads the most values, at least half; of equal ones the first."""
    best = max(_DATE_FORMATS, key=lambda one: _n_read(values, one))
    return best if values and 2 * _n_read(values, best) >= len(values) else None


def _n_read(values: Sequence[str], date_format: str) -> int:
    return sum(1 for value in values if _is_date(value, date_format))


def _is_date(text: str, date_format: str) -> bool:
    try:
        return bool(datetime.strptime(text, date_format).replace(tzinfo=UTC))
    except ValueError:
        return False


def _lines(
    path: Path, columns: dict[str, list[str]], chosen: dict[tuple[str, str], str]
) -> Iterator[str]:
    yield f"# Proposed from the columns of {path.name}. Check every line marked `# check`."
    yield "[source]"
    yield f"name = {_quoted(path.stem.lower()[:50] or 'mapped')}"
    cases = columns[chosen["report", "case_id"]]
    many = len(set(cases)) < len(cases)
    yield f'rows = "{"many" if many else "one"}"' + ("  # check: cases repeat" if many else "")
    formats = [
        found
        for wanted in _FIELDS
        if wanted.is_date and (name := chosen.get((wanted.section, wanted.name)))
        if (found := _date_format(columns[name]))
    ]
    listed = ", ".join(_quoted(one) for one in dict.fromkeys(formats) or ("%Y-%m-%d",))
    in_doubt = "  # check: day or month first" if any("/%Y" in one for one in formats) else ""
    yield f"date_formats = [{listed}]{in_doubt}"
    for section in ("report", "patient", "products", "reactions"):
        yield ""
        is_part = section in ("products", "reactions")
        yield f"[[{section}]]" if is_part else f"[{section}]"
        stated = [wanted for wanted in _FIELDS if wanted.section == section]
        for wanted in stated:
            if name := chosen.get((section, wanted.name)):
                yield f"{wanted.name} = {_source(wanted, name, columns[name])}"
        if section == "reactions" and (section, "term") not in chosen:
            yield '# check: term = "the column of the event"'
        if section == "products" and (section, "role") not in chosen:
            yield 'role = { value = "suspect" }  # check'
    if left := [name for name in columns if name not in chosen.values()]:
        yield ""
        yield f"# Columns without a field: {', '.join(map(_quoted, left))}"


def _source(wanted: _Field, name: str, values: Sequence[str]) -> str:
    known = wanted.values
    if known is not None:
        found = dict.fromkeys(values)
        pairs = [
            f"{_quoted(one)} = {_quoted(known[one.lower()])}"
            for one in found
            if one.lower() in known
        ]
        odd = [one for one in found if one.lower() not in known][:5]
        doubt = f"  # check: {', '.join(map(_quoted, odd))}" if odd else ""
        return f"{{ column = {_quoted(name)}, values = {{ {', '.join(pairs)} }} }}{doubt}"
    if wanted.is_split:
        for split in _SPLITS[:-1]:
            if any(split in value for value in values):
                return f"{{ column = {_quoted(name)}, split = {_quoted(split)} }}  # check"
    return _quoted(name)


def _quoted(text: str) -> str:
    """Return a text as a string of TOML, on one line."""
    plain = "".join(one if one.isprintable() else " " for one in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
