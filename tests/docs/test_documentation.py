"""Outputs of pages are given as a reader would see them, whatever the test's topics are named."""

from pathlib import Path

from tests.support.console import shell_in
from tests.support.documentation import CHECKOUT, ROOT, furnish, outputs_of, wrong_commands

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


def test_a_page_that_needs_the_checkout_has_a_copy_and_its_own_files(tmp_path: Path) -> None:
    page = f"{CHECKOUT}\n\n```python detectors/mine.py\nX = 1\n```\n"
    furnish(tmp_path, tmp_path, page)
    assert (tmp_path / "detectors" / "mine.py").read_text(encoding="utf-8") == "X = 1\n"
    assert not (ROOT / "detectors" / "mine.py").exists()
    copied = (tmp_path / "pyproject.toml").read_bytes()
    assert copied == (ROOT / "pyproject.toml").read_bytes()


def test_other_pages_have_no_checkout(tmp_path: Path) -> None:
    furnish(tmp_path, tmp_path, "# A page\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("examples", "notices.jsonl", "reports.jsonl"),
    ]
