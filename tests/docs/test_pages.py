"""Every command of README and docs that needs no broker runs, and prints what the page shows."""

from pathlib import Path

import pytest

from tests.support.console import shell_in
from tests.support.documentation import KAFKA, ROOT, furnish, pages, wrong_commands

PAGES = [path for path in pages() if KAFKA not in path.read_text(encoding="utf-8")]


@pytest.mark.realdata
@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_of_a_page_print_what_it_shows(
    path: Path, tmp_path: Path, real_data: Path
) -> None:
    page = path.read_text(encoding="utf-8")
    furnish(tmp_path, real_data, page)
    with shell_in(tmp_path) as shell:
        wrong = wrong_commands(page, shell)
    assert not wrong, "\n\n".join([f"{path.name} (make docs writes the outputs):", *wrong])
