"""A mapping file: which column of a table fills which field of a report, in TOML.

::

    [source]
    name = "hospitals"
    date_formats = ["%d.%m.%Y"]

    [report]
    case_id = "case"
    first_received = "received"

    [patient]
    sex = { column = "sex", values = { W = "female", M = "male" } }

    [[products]]
    role = { value = "suspect" }
    substances = { column = "suspect", split = ";" }

    [[reactions]]
    term = { column = "events", split = ";" }
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

from schemas.errors import InputError
from streams.intake.bounded import require_file
from streams.intake.mapped.fields import FIELDS, PARTS
from streams.intake.refusals import quoted

__all__ = ["ColumnMapping", "FieldSource", "load_mapping"]

_MOST_BYTES = 1 << 20  # of a mapping file; one of a hundred columns has 10,000
_REQUIRED = {"report": ("case_id", "first_received"), "reactions": ("term",)}
_SOURCE = ("name", "separator", "encoding", "date_formats", "rows")
_OF_FIELD = ("column", "value", "split", "parts", "values")
_ROWS = ("one", "many")
_PLAIN = 'a,;"\r\n'


@dataclass(frozen=True)
class FieldSource:
    """Where the value of a field comes from.

    Parameters
    ----------
    column, value
        A column, or a value that is the same in every row.
    split
        Text between the values of several products or reactions in one column.
    parts
        Text between the substances of one product.
    values
        Values of the column, in any case, and what each means in a report.
    """

    column: str | None
    value: str | None = None
    split: str | None = None
    parts: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ColumnMapping:
    """The content of a mapping file."""

    path: Path
    name: str
    separator: str | None
    encoding: str
    date_formats: tuple[str, ...]
    many_rows: bool
    sections: Mapping[str, Mapping[str, FieldSource]]
    parts: tuple[tuple[str, Mapping[str, FieldSource]], ...]

    def columns(self) -> Iterator[tuple[str, str]]:
        """Yield the place in the file and the column of each field that has one."""
        for section, sources in (*self.sections.items(), *self.parts):
            for name, source in sources.items():
                if source.column is not None:
                    yield f"{section}.{name}", source.column

    def require_columns(self, names: tuple[str, ...], where: str) -> None:
        """Refuse a mapping of which the table lacks a column; names are in lower case.

        Raises
        ------
        InputError
            It names the field, the column, and the one that may be meant.
        """
        for place, column in self.columns():
            if column.strip().lower() not in names:
                close = get_close_matches(column.lower(), names, n=1, cutoff=0.6)
                hint = f"; perhaps {quoted(close[0])} is meant" if close else ""
                msg = f"{self.path}: {place}: must be a column of {where}; got {quoted(column)}"
                raise InputError(msg + hint)


def load_mapping(path: Path) -> ColumnMapping:
    """Read a mapping file.

    Raises
    ------
    InputError
        It is no TOML, names a field that a report does not have, or lacks a required one.
    """
    require_file(path)
    if (size := path.stat().st_size) > _MOST_BYTES:
        msg = f"{path}: a mapping file must have at most {_MOST_BYTES} bytes; got {size}"
        raise InputError(msg)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path}: must be TOML in UTF-8; got {error}"
        raise InputError(msg) from error
    _require_known(path, "", content, ("source", *FIELDS))
    source = content.get("source", {})
    _require_table(path, "source", source)
    _require_known(path, "source.", source, _SOURCE)
    sections = {
        name: _section(path, name, content.get(name, {})) for name in FIELDS if name not in PARTS
    }
    parts = []
    for name in PARTS:
        stated = content.get(name, [])
        if not isinstance(stated, list) or not stated:
            msg = f"{path}: must have [[{name}]], one for each group of columns; got none"
            raise InputError(msg)
        parts += [(name, _section(path, name, one)) for one in stated]
    return ColumnMapping(
        path=path,
        name=_text(path, "source.name", source.get("name", "mapped")),
        separator=_separator(path, source.get("separator")),
        encoding=_encoding(path, source.get("encoding", "utf-8")),
        date_formats=_date_formats(path, source.get("date_formats", ["%Y-%m-%d"])),
        many_rows=_one_of(path, "source.rows", source.get("rows", "one"), _ROWS) == "many",
        sections=sections,
        parts=tuple(parts),
    )


def _section(path: Path, section: str, stated: Any) -> dict[str, FieldSource]:
    _require_table(path, section, stated)
    _require_known(path, f"{section}.", stated, FIELDS[section])
    missing = [name for name in _REQUIRED.get(section, ()) if name not in stated]
    if missing:
        msg = f"{path}: [{section}] must name the column of {', '.join(missing)}; got none"
        raise InputError(msg)
    return {name: _source(path, section, name, value) for name, value in stated.items()}


def _source(path: Path, section: str, name: str, stated: Any) -> FieldSource:
    place = f"{section}.{name}"
    if isinstance(stated, str):
        return FieldSource(stated)
    _require_table(path, place, stated)
    _require_known(path, f"{place}.", stated, _OF_FIELD)
    if ("column" in stated) == ("value" in stated):
        msg = f"{path}: {place}: must have a column or a value; got {'both' if stated else 'none'}"
        raise InputError(msg)
    texts = {key: _text(path, f"{place}.{key}", stated[key]) for key in stated if key != "values"}
    values = stated.get("values", {})
    _require_table(path, f"{place}.values", values)
    meant = {
        key.strip().lower(): _meaning(path, section, name, key, value)
        for key, value in values.items()
    }
    if "value" in texts:
        _meaning(path, section, name, "value", texts["value"])
    if section not in PARTS and "split" in texts and name != "seriousness":
        msg = f"{path}: {place}.split: only products, reactions and seriousness can be split"
        raise InputError(msg)
    return FieldSource(
        texts.get("column"),
        texts.get("value"),
        texts.get("split"),
        texts.get("parts"),
        meant,
    )


def _meaning(path: Path, section: str, name: str, key: str, value: Any) -> str:
    """Return what a value means; of an enumeration it must be a member."""
    kind, place = FIELDS[section][name], f"{section}.{name}.{key}"
    text = _text(path, place, value)
    if issubclass(kind, StrEnum):
        return _one_of(path, place, text, [one.value for one in kind])
    return text


def _one_of(path: Path, place: str, value: Any, known: Any) -> str:
    if value not in tuple(known):
        got = quoted(str(value))
        msg = f"{path}: {place}: must be one of {', '.join(known)}; got {got}"
        raise InputError(msg)
    return str(value)


def _require_known(path: Path, place: str, stated: Mapping[str, Any], known: Any) -> None:
    for name in stated:
        if name not in known:
            close = get_close_matches(name, list(known), n=1, cutoff=0.6)
            hint = f"; perhaps {close[0]!r} is meant" if close else ""
            msg = f"{path}: {place}{name[:40]}: is no key of a mapping file{hint}"
            raise InputError(msg)


def _require_table(path: Path, place: str, stated: Any) -> None:
    if not isinstance(stated, dict):
        msg = f"{path}: {place}: must be a table or a column's name; got {quoted(str(stated))}"
        raise InputError(msg)


def _text(path: Path, place: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        msg = f"{path}: {place}: must be a text; got {quoted(str(value))}"
        raise InputError(msg)
    return value


def _separator(path: Path, value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or len(value) != 1 or value in '\r\n"'):
        msg = f"{path}: source.separator: must be one character; got {quoted(str(value))}"
        raise InputError(msg)
    return value


def _encoding(path: Path, value: Any) -> str:
    """Return an encoding in which line ends and quotes are the bytes of ASCII, as CSV needs."""
    name = _text(path, "source.encoding", value)
    try:
        is_known = _PLAIN.encode(name) == _PLAIN.encode("ascii")
    except (LookupError, UnicodeError):
        is_known = False
    if not is_known:
        msg = f"{path}: source.encoding: must be an encoding that extends ASCII; got {quoted(name)}"
        raise InputError(msg)
    return name


def _date_formats(path: Path, value: Any) -> tuple[str, ...]:
    formats = value if isinstance(value, list) else [value]
    for one in formats:
        text = _text(path, "source.date_formats", one)
        if not all(part in text for part in ("%d", "%Y")) and "%y" not in text:
            msg = f"{path}: source.date_formats: must have %d and %Y; got {quoted(text)}"
            raise InputError(msg)
    return tuple(formats)
