"""`tocsin desk` keeps what readers state: a statement is on the ledger of the next start."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.support.browser.servers import serving_command
from tests.support.replays import founding_case

RUN = "import sys; sys.argv[0] = 'tocsin'; from streams.cli import main; main()"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    reports, notices = founding_case()
    for name, items in (("reports", reports), ("notices", notices)):
        lines = [item.model_dump_json(exclude_defaults=True) for item in items]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


@contextmanager
def desk(files: Path) -> Iterator[httpx2.Client]:
    """Run the command; yield a browser of its pages."""
    command = [sys.executable, "-W", "ignore", "-c", RUN, "desk", str(files / "reports.jsonl")]
    command += ["--notices", str(files / "notices.jsonl"), "--folder", str(files / "desk")]
    with (
        serving_command([*command, "--port", "0", "--no-open"], seconds=120) as address,
        httpx2.Client(base_url=address) as browser,
    ):
        yield browser


def test_a_statement_is_on_the_ledger_after_a_restart(files: Path) -> None:
    statement = {"reporter": "society", "said": "denies", "source": "letter of the society"}
    with desk(files) as browser:
        page = browser.get("/desk/rumours/LC-0").text
        token = re.findall(r'name="token" value="(\w+)"', page)[-1]
        form = {**statement, "token": token, "step": "add", "follows": "contested"}
        assert browser.post("/desk/rumours/LC-0/statements", data=form).status_code == 303
        assert "letter of the society" in browser.get("/desk/rumours/LC-0").text
    with desk(files) as browser:
        page = browser.get("/desk/rumours/LC-0").text
        assert "letter of the society" in page
        # Its alert is published now, with the state that follows.
        assert "one lot (EX117), 3 clinics" in browser.get("/desk/safety/EX117").text
        assert "/desk/rumours/LC-0" in browser.get("/desk/rumours?tab=contested").text
