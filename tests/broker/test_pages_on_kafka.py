"""Commands of documentation pages that need a broker: they run and print what the page shows."""

from pathlib import Path

import pytest

from tests.docs.__main__ import PREFIX, kafka_variables
from tests.support.console import shell_in
from tests.support.documentation import KAFKA, ROOT, furnish, pages, wrong_commands

PAGES = [path for path in pages() if KAFKA in path.read_text(encoding="utf-8")]

pytestmark = [pytest.mark.broker, pytest.mark.realdata]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_of_a_page_print_what_it_shows(
    path: Path, tmp_path: Path, real_data: Path, broker: str
) -> None:
    page = path.read_text(encoding="utf-8")
    furnish(tmp_path, real_data, page)
    variables = kafka_variables(broker)
    with shell_in(tmp_path, **variables) as shell:
        wrong = wrong_commands(page, shell, prefix=variables[PREFIX])
    assert not wrong, "\n\n".join([f"{path.name} (make docs writes the outputs):", *wrong])
