"""RunVerdict on a run over files: what fails, what is remarked, and what is neither."""

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from streams.cli.verdict import RunVerdict
from streams.runtime.embedded.replay import Replay
from streams.runtime.operations import publish
from tests.support.archives import ArchiveOf
from tests.support.cli import Run, require_refused
from tests.support.reports import report_line
from tests.support.versions import make_link

GOOD = report_line("A", date(2024, 2, 29), "zinc", "Rash")
OUTPUTS = "--alerts a --counts c --priors p --suppressed s --watch-items w"
NOTICE = {
    "notice_id": "1",
    "subject_id": "R-1",
    "kind": "media",
    "received": "2024-02-29",
    "source": "press",
}


class Producer:
    """Acknowledges everything."""

    exception = None

    def send(self, *record: Any, headers: Any = ()) -> "Producer":
        return self

    def succeeded(self) -> bool:
        return True

    def flush(self) -> None:
        pass

    close = flush


@pytest.fixture(params=["replay", "publish"])
def command(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(publish, "make_producer", lambda settings: Producer())
    return str(request.param)


def _broken(**fields: Any) -> str:
    return json.dumps(json.loads(GOOD) | fields) + "\n"


def test_a_run_that_accepts_nothing_fails_with_the_most_frequent_reasons(
    command: str, run: Run, tmp_path: Path
) -> None:
    lines = [
        *(_broken(products=[{}] * n + [{"substances": [1]}]) for n in range(5)),
        *(_broken(version=-1), _broken(version=-2), _broken(colour=1), "{", "[", '{"a'),
    ]
    (tmp_path / "r.jsonl").write_text("\n".join(lines), encoding="utf-8")
    ended = run(f"{command} r.jsonl")
    assert ended.code == 2
    assert ended.err.strip() == (
        f"tocsin: {command}: at least one report must be accepted; got 11 rejected: "
        '5 for "products.substances: Input should be a valid string", '
        '2 for "version: Input should be greater than or equal to 0", '
        "1 for \"report: holds a field that the schema does not know, 'colour'\""
    )


def test_rejects_are_written_and_nothing_else_if_nothing_is_accepted(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "r.jsonl").write_text(_broken(version=-1) * 3, encoding="utf-8")
    (tmp_path / "a").write_text("of yesterday")
    ended = run(f"replay r.jsonl --rejects bad.jsonl {OUTPUTS}")
    require_refused(ended, "got 3 rejected")
    assert sorted(os.listdir(tmp_path)) == ["a", "bad.jsonl", "r.jsonl"]
    assert (tmp_path / "a").read_text() == "of yesterday"
    assert (tmp_path / "bad.jsonl").read_text().count("\n") == 3


def test_a_foreign_file_is_described(command: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text("[[" + GOOD + "]]", encoding="utf-8")
    assert (
        "r.jsonl looks like a JSON array; write one report a line" in run(f"{command} r.jsonl").err
    )
    (tmp_path / "t.csv").write_text("case,drug\n1,zinc\n", encoding="utf-8")
    ended = run(f"{command} t.csv")
    assert ended.code == 2
    assert "t.csv: must be a zip file or a folder with " in ended.err
    assert "; got a table of 2 columns, separated by commas" in ended.err


def test_one_of_several_files_may_be_rejected_as_a_whole(
    command: str, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "good.jsonl").write_text(GOOD * 4, encoding="utf-8")
    (tmp_path / "bad.jsonl").write_text(_broken(version=-1) * 3, encoding="utf-8")
    ended = run(f"{command} good.jsonl bad.jsonl")
    assert ended.code == 0
    reason = '3 for "version: Input should be greater than or equal to 0"'
    assert ended.out.endswith(f"\nbad.jsonl: all 3 rejected: {reason}\n")


@pytest.mark.parametrize(("good", "remarked"), [(2, True), (3, False)])
def test_more_rejects_than_accepted_reports_are_remarked(
    good: int, remarked: bool, command: str, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "r.jsonl").write_text(GOOD * good + "{\n" * 3, encoding="utf-8")
    ended = run(f"{command} r.jsonl")
    assert ended.code == 0
    line = 'More than half rejected: 3 of 5: 3 for "report: Invalid JSON: '
    assert (line in ended.out) is remarked
    assert ("ejected:" in ended.out) is remarked


def test_links_and_notices_are_accepted_too(command: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "links.jsonl").write_text(make_link().model_dump_json(), encoding="utf-8")
    (tmp_path / "empty.jsonl").write_text("\n \n", encoding="utf-8")
    (tmp_path / "notices.jsonl").write_text(json.dumps(NOTICE), encoding="utf-8")
    for arguments in (
        "links.jsonl",
        "empty.jsonl",
        "empty.jsonl --notices notices.jsonl",
    ):
        ended = run(f"{command} {arguments}")
        assert (ended.code, "ejected:" in ended.out) == (0, False), arguments
    (tmp_path / "notices.jsonl").write_text("{}\n{}", encoding="utf-8")
    ended = run(f"{command} empty.jsonl --notices notices.jsonl")
    assert ended.code == 2
    assert 'got 2 rejected: 2 for "notice_id: Field required"' in ended.err


def test_reports_after_until_are_accepted(run: Run, tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text(GOOD + "{", encoding="utf-8")
    assert run("replay r.jsonl --until 2023-12-31 --counts c").code == 0
    assert (tmp_path / "c").exists()


def test_an_archive_without_a_row_fails(command: str, run: Run, archive_of: ArchiveOf) -> None:
    tables = {
        "DATA": "VAERS_ID,RECVDATE",
        "VAX": "VAERS_ID,VAX_TYPE,VAX_NAME",
        "SYMPTOMS": "VAERS_ID,SYMPTOM1",
    }
    archive_of("v.zip", {f"1990VAERS{name}.csv": f"{head}\r\n" for name, head in tables.items()})
    ended = run(f"{command} v.zip")
    assert ended.code == 2
    assert "at least one report must be accepted; got no row in v.zip" in ended.err


def test_names_of_others_are_printed_without_control_characters(
    command: str, run: Run, tmp_path: Path
) -> None:
    name = "\x1b]0;x\x07.jsonl"
    (tmp_path / name).write_text(_broken(**{"\x1b[31mred": 1}), encoding="utf-8")
    (tmp_path / "good.jsonl").write_text(GOOD * 4, encoding="utf-8")
    for arguments, code in ((f"'{name}'", 2), (f"good.jsonl '{name}'", 0)):
        ended = run(f"{command} {arguments}")
        assert ended.code == code
        printed = ended.out + ended.err
        assert r"does not know, '\x1b[31mred'" in printed
        assert all(char.isprintable() or char == "\n" for char in printed)


def test_reasons_without_end_are_not_kept(tmp_path: Path) -> None:
    verdict = RunVerdict("replay")
    verdict.begin(tmp_path)
    for number in range(3_000):
        verdict.reject(_rejected(f"report: holds {number}"))
    assert verdict.rejected == 3_000
    assert len(verdict._files[0].reasons) == 1_000


def _rejected(reason: str) -> Any:
    return publish.Rejected(source="a", position=1, reason=reason, raw=b"", code=None)


def test_an_interrupted_replay_leaves_no_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(replay: Replay) -> None:
        raise KeyboardInterrupt

    (tmp_path / "r.jsonl").write_text(GOOD + "{", encoding="utf-8")
    monkeypatch.setattr(Replay, "finish", interrupt)
    assert run(f"replay r.jsonl --rejects bad.jsonl {OUTPUTS}").code == 130
    assert os.listdir(tmp_path) == ["r.jsonl"]
