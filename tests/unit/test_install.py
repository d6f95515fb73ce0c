"""The three packages are ours, whole, importable, and import one way."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import detectors
import schemas
import streams

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (schemas, detectors, streams)
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60


def _modules() -> Iterator[str]:
    for package in PACKAGES:
        yield package.__name__
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield found.name


MODULES = sorted(_modules())


def test_the_packages_share_one_parent() -> None:
    parents = {Path(folder).parent for package in PACKAGES for folder in package.__path__}
    assert len(parents) == 1


def test_nobody_else_owns_their_names() -> None:
    owners = packages_distributions()  # does not know the folders of an editable install
    for package in PACKAGES:
        assert set(owners.get(package.__name__, ())) <= {"tocsin"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_the_packages_are_typed(package: object) -> None:
    (folder,) = package.__path__  # type: ignore[attr-defined]
    assert (Path(folder) / "py.typed").is_file()


def test_modules_are_discovered() -> None:
    assert {"schemas.report", "detectors.rules", "streams.core.cases.transitions"} <= set(MODULES)
    assert not [name for name in MODULES if name.rpartition(".")[2] == "kafka"]


def _isort_style(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: the order of ruff's RUF022."""
    return 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2, name


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_offers_is_sorted_and_there(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, "a module says what it is for"
    if not hasattr(module, "__all__"):
        assert module.__spec__ is not None
        assert module.__spec__.submodule_search_locations, "only an empty package offers nothing"
        return
    offered = list(module.__all__)
    assert offered == sorted(set(offered), key=_isort_style)
    for each in offered:
        assert hasattr(module, each)


def test_a_public_class_name_is_used_once() -> None:
    homes: dict[str, set[str]] = {}
    for name in MODULES:
        for each, value in vars(importlib.import_module(name)).items():
            if inspect.isclass(value) and value.__module__ == name and not each.startswith("_"):
                homes.setdefault(value.__name__, set()).add(name)
    assert {each: where for each, where in homes.items() if len(where) > 1} == {}


def test_imports_go_one_way() -> None:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    ended = subprocess.run(
        [sys.executable, "-c", code.replace("()", "(no_cache=True)")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "0 broken" in ended.stdout


def test_no_file_is_too_long_to_be_read() -> None:
    folders = [*(package.__name__ for package in PACKAGES), "tests", "benchmarks"]
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}


def test_no_function_of_the_core_is_too_long_to_be_read() -> None:
    lengths = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for path in (ROOT / "streams" / "core").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    }
    assert len(lengths) > 400
    assert {
        name: lines for name, lines in lengths.items() if lines > MOST_LINES_OF_A_FUNCTION
    } == {}
