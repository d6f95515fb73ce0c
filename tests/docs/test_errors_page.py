"""docs/consume/errors.md lists every class of exception and of reject, and every status."""

import ast
import re
from http import HTTPStatus
from pathlib import Path

from schemas import errors
from streams.delivery.sending.send_schedule import SendOutcome

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "consume" / "errors.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[str]:
    part = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `?(\w+)`? \|", part, re.MULTILINE)


def test_every_class_is_listed() -> None:
    raised = (getattr(errors, name) for name in errors.__all__)
    classes = {one.__name__ for one in raised if issubclass(one, errors.TocsinError)}
    assert sorted(rows("Exit codes of commands")[6:]) == sorted(classes - {"TocsinError"})
    assert sorted(rows("Reports and notices that are rejected")[1:]) == sorted(errors.RejectCode)
    assert sorted(rows("Webhooks")[1:]) == sorted(SendOutcome)


def test_every_status_that_the_api_answers_with_is_listed() -> None:
    asked = {"SERVICE_UNAVAILABLE", "INTERNAL_SERVER_ERROR"}
    for path in (ROOT / "streams" / "delivery" / "api").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                asked |= {node.attr} if node.value.id == "HTTPStatus" else set()
    wrong = {HTTPStatus[name] for name in asked if HTTPStatus[name] >= 400}
    assert sorted(int(one) for one in rows("HTTP")[1:]) == sorted(wrong)
