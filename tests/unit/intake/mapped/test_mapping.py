"""A mapping file is read as it says; an error names the place, the rule and what to do."""

from pathlib import Path

import pytest

from schemas.errors import InputError
from streams.intake.mapped.mapping import FieldSource, load_mapping

GOOD = """
[source]
name = "hospitals"
separator = ";"
encoding = "cp1252"
date_formats = ["%d.%m.%Y"]
rows = "many"

[report]
case_id = "Case"
first_received = "received"

[patient]
sex = { column = "sex", values = { W = "female" } }

[[products]]
role = { value = "suspect" }
substances = { column = "drug", split = ";", parts = "+" }

[[products]]
role = { value = "concomitant" }
substances = "other"

[[reactions]]
term = "event"
"""


def _written(folder: Path, text: str = GOOD) -> Path:
    path = folder / "m.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_mapping_is_read(tmp_path: Path) -> None:
    mapping = load_mapping(_written(tmp_path))
    assert (mapping.name, mapping.separator, mapping.encoding) == ("hospitals", ";", "cp1252")
    assert (mapping.date_formats, mapping.many_rows) == (("%d.%m.%Y",), True)
    assert mapping.sections["report"]["case_id"] == FieldSource("Case")
    assert mapping.sections["patient"]["sex"] == FieldSource("sex", values={"w": "female"})
    assert [name for name, _ in mapping.parts] == ["products", "products", "reactions"]
    assert mapping.parts[0][1]["substances"] == FieldSource("drug", split=";", parts="+")
    assert mapping.parts[0][1]["role"] == FieldSource(None, "suspect")


def test_what_is_not_stated_has_a_default(tmp_path: Path) -> None:
    text = '[report]\ncase_id="a"\nfirst_received="b"\n[[products]]\n[[reactions]]\nterm="c"\n'
    mapping = load_mapping(_written(tmp_path, text))
    assert (mapping.name, mapping.separator, mapping.encoding) == ("mapped", None, "utf-8")
    assert (mapping.date_formats, mapping.many_rows) == (("%Y-%m-%d",), False)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[source]", "[source", "must be TOML in UTF-8; got Expected"),
        ("[patient]", "[patinet]", "patinet: is no key of a mapping file; perhaps 'patient' is"),
        ("sex = {", "sx = {", "patient.sx: is no key of a mapping file; perhaps 'sex' is meant"),
        ("values =", "value_s =", "patient.sex.value_s: is no key of a mapping file; perhaps"),
        ('"female"', '"woman"', "patient.sex.W: must be one of female, male, unknown; got 'woman'"),
        ('"suspect"', '"suspected"', "products.role.value: must be one of suspect, interacting"),
        ('value = "suspect"', "", "products.role: must have a column or a value; got none"),
        ('"suspect" }', '"suspect", column = "a" }', "must have a column or a value; got both"),
        ('case_id = "Case"', "", "[report] must name the column of case_id; got none"),
        ('term = "event"', "", "[reactions] must name the column of term; got none"),
        ("[[reactions]]", "[reactions]", "must have [[reactions]], one for each group of columns"),
        ('case_id = "Case"', "case_id = 7", "report.case_id: must be a table or a column's name"),
        ('"many"', '"some"', "source.rows: must be one of one, many; got 'some'"),
        ('separator = ";"', 'separator = ";;"', "source.separator: must be one character; got"),
        ('"cp1252"', '"klingon"', "source.encoding: must be an encoding that extends ASCII"),
        ('"cp1252"', '"utf-16"', "source.encoding: must be an encoding that extends ASCII; got"),
        ('"cp1252"', '"zlib"', "source.encoding: must be an encoding that extends ASCII; got"),
        ('"%d.%m.%Y"', '"%m"', "source.date_formats: must have %d and %Y; got '%m'"),
        (
            'sex = { column = "sex",',
            'sex = { column = "sex", split = ";",',
            "patient.sex.split: only products, reactions and seriousness can be split",
        ),
    ],
)
def test_a_wrong_mapping_is_refused(old: str, new: str, says: str, tmp_path: Path) -> None:
    assert old in GOOD
    path = _written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(InputError) as refused:
        load_mapping(path)
    assert says in str(refused.value)
    assert str(refused.value).startswith(f"{path}: ")


def test_a_long_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a mapping file must have at most 1048576 bytes; got"):
        load_mapping(_written(tmp_path, GOOD + "#" * (1 << 20)))


def test_a_column_that_the_table_lacks_is_named(tmp_path: Path) -> None:
    mapping = load_mapping(_written(tmp_path))
    names = ("case", "received", "sex", "drug", "others", "event")
    with pytest.raises(InputError) as refused:
        mapping.require_columns(names, "a.csv")
    says = "products.substances: must be a column of a.csv; got 'other'; perhaps 'others' is meant"
    assert says in str(refused.value)
    mapping.require_columns((*names, "other"), "a.csv")
