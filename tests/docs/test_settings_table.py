"""docs/operate/settings.md shows every setting, as the model has it."""

import re

from streams.runtime.detector_settings import DetectorSettings
from streams.runtime.settings import Settings
from tests.docs.settings import PAGE, shown, table, written

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_shows_the_table_of_the_model() -> None:
    assert shown(TEXT) == table(), "make docs writes it"
    assert written(TEXT) == TEXT


def test_every_setting_has_a_row_with_its_variable_default_and_meaning() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| `(\w+)` \| (.+?) \| (.+) \|$", table(), re.MULTILINE)
    plain = [name for name in Settings.model_fields if name != "detector"]
    nested = [f"detector.{name}" for name in DetectorSettings.model_fields]
    assert [name for name, *_ in rows] == plain + nested
    assert all(
        variable == "TOCSIN_" + name.upper().replace(".", "__") for name, variable, *_ in rows
    )
    found = {name: (default, meaning) for name, _, default, meaning in rows}
    assert found["partitions"][0] == "4"
    assert found["partitions"][1].endswith("1 to 10,000.")
    assert found["session_timeout_ms"][0] == "10,000"
    assert found["security_protocol"][1].endswith("`SASL_PLAINTEXT`, `SASL_SSL`.")
    assert found["sasl_mechanism"][0] == "none"
    assert found["detector.windows"][0] == "`cumulative`"
