"""Outputs of pages are given as a reader would see them, whatever the test's topics are named."""

from pathlib import Path

from tests.support.console import shell_in
from tests.support.documentation import outputs_of, wrong_commands

PAGE = """```console
$ printf '\\n\\nq7.reports[0] q7.x xq7.reports q7.\\n'
pv.reports[0] pv.x xq7.reports q7.
```
"""


def test_names_of_topics_have_the_usual_prefix_and_empty_lines_go(tmp_path: Path) -> None:
    with shell_in(tmp_path) as shell:
        found = dict(outputs_of(PAGE, shell, prefix="q7."))
        assert found == {2: "pv.reports[0] pv.x xq7.reports q7.\n"}
        assert wrong_commands(PAGE, shell, prefix="q7.") == []
        assert len(wrong_commands(PAGE, shell)) == 1
