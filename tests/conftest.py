import os
import shlex
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.archives import ArchiveOf, write_zip
from tests.support.cli import Ended, Run, tocsin
from tests.support.clock import Clock

ROOT = Path(__file__).resolve().parent.parent
collect_ignore = ["fuzz/one.py"]  # it needs atheris, which `make fuzz` alone installs

# How fast an example runs says more of the machine than of us: speed lives in benchmarks/.
settings.register_profile("tocsin", deadline=None)
settings.load_profile("tocsin")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public report files; where there is none, CI fails and others hear of it."""
    folder = Path(os.environ.get("TOCSIN_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        reason = f"NOT CHECKED ON REAL REPORTS: TOCSIN_DATA must be a folder; got {folder}"
        if "CI" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture
def archive_of(tmp_path: Path) -> ArchiveOf:
    return lambda name, members: write_zip(tmp_path / name, members)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command line, split as a shell does, in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOCSIN_DEBUG", raising=False)

    def run(line: str) -> Ended:
        return tocsin(*shlex.split(line))

    return run
