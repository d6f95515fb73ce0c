"""The commands of the documentation are found, run and compared as a reader would."""

from pathlib import Path

import pytest

from tests.support.console import Command, commands_of, differs, files_of, rewritten, shell_in

PAGE = """# A page

```console
$ echo one; \\
  echo two
one
two
$ export NAME=three
$ echo $NAME
three
```

<!-- console
$ touch hidden
-->

```
$ not a command: the block has no language
```
"""


def test_commands_are_those_of_console_blocks_with_the_lines_below() -> None:
    assert commands_of(PAGE) == [
        Command(4, "echo one; \\\n  echo two", ("one", "two")),
        Command(8, "export NAME=three", ()),
        Command(9, "echo $NAME", ("three",)),
        Command(14, "touch hidden", ()),
    ]


def test_files_are_fenced_blocks_with_a_path() -> None:
    page = "```python a/b.py\nx = 1\n```\n\n```toml\ny = 2\n```\n\n```diff c.patch\n-z\n```\n"
    assert files_of(page) == {"a/b.py": "x = 1\n", "c.patch": "-z\n"}
    assert files_of(PAGE) == {}


def test_a_page_runs_in_one_shell(tmp_path: Path) -> None:
    with shell_in(tmp_path) as shell:
        outputs = {each.line: shell.run(each.text) for each in commands_of(PAGE)}
    assert [output for output, _ in outputs.values()] == ["one\ntwo\n", "", "three\n", ""]
    assert (tmp_path / "hidden").exists()
    assert rewritten(PAGE, {line: output for line, (output, _) in outputs.items()}) == PAGE


def test_exit_code_and_standard_error_are_seen(tmp_path: Path) -> None:
    with shell_in(tmp_path) as shell:
        assert shell.run("echo wrong >&2; false") == ("wrong\n", 1)
        with pytest.raises(TimeoutError, match="must end within 0 s"):
            shell.run("sleep 5", seconds=0.1)


@pytest.mark.parametrize(
    ("expected", "got", "missing"),
    [
        (["a", "b"], "a\nb\n", None),
        (["a", "b"], "a\nc\n", "b"),
        (["a"], "a\nb\n", "the end; got 'b'"),
        (["a", "..."], "a\nb\nc\n", None),
        (["...", "c"], "a\nb\nc\n", None),
        (["a", "...", "d"], "a\nb\nc\n", "d"),
        (["took 3.2 s"], "took 41 s\n", None),
        (["7 passed in 0.95s"], "7 passed in 61.20s (0:01:01)\n", None),
        (["7 passed in 0.95s"], "8 passed in 0.95s\n", "7 passed in ~"),
        (["since 2026-01-02 03:04Z"], "since 2027-05-06 07:08Z\n", None),
        ([f"a -> b, {'0' * 64}"], f"a -> b, {'f' * 64}\n", None),
        ([f"whole; last hash {'0' * 64}"], f"whole; last hash {'f' * 64}\n", None),
        ([f"line 3; got {'0' * 64}: x"], f"line 3; got {'f' * 64}: x\n", None),
        ([f"SHA-256 {'0' * 64}"], f"SHA-256 {'f' * 64}\n", f"SHA-256 {'0' * 64}"),
        (["3 cases"], "4 cases\n", "3 cases"),
        (["a  b"], "a b\n", None),
        ([], "", None),
        (["a"], "", "a"),
        (["a", ""], "a\n  \n", None),
        (["a"], "a\n\nb\n", "the end; got ''"),
    ],
)
def test_output_is_compared_line_by_line(
    expected: list[str], got: str, missing: str | None
) -> None:
    assert differs(expected, got) == missing


def test_a_cut_output_stays_cut_when_it_is_written_again() -> None:
    page = "```console\n$ seq 9\n1\n2\n...\n```\n"
    assert rewritten(page, {2: "".join(f"{n}\n" for n in range(1, 10))}) == page
    assert rewritten(page, {2: "7\n8\n9\n"}) == "```console\n$ seq 9\n7\n8\n...\n```\n"


def test_output_that_differs_in_nothing_but_time_stays_as_it_is_in_the_page() -> None:
    page = "```console\n$ date\n2026-03-01 08:15:02,113 it is late\n```\n"
    assert rewritten(page, {2: "2026-11-30 01:02:03,004 it is late\n"}) == page
    assert rewritten(page, {2: "2026-11-30 01:02:03,004 it is early\n"}) != page
