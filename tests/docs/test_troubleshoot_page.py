"""docs/operate/troubleshoot.md: every message that it explains is one that the code can print."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operate" / "troubleshoot.md").read_text(encoding="utf-8")
MESSAGES = re.findall(r"^\| `([^`]+)`", TEXT, re.MULTILINE)


def _texts() -> list[str]:
    """Return every text of the product, with `{}` where it puts a value."""
    found = []
    for path in (ROOT / "streams").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(re.sub(r"%(?:\.\d)?[a-z]", "{}", node.value))
    return found


TEXTS = _texts()


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_one_of_the_code(message: str) -> None:
    words = ".*".join(re.escape(part) for part in message.split("..."))
    assert any(re.search(words, text) for text in TEXTS)


def test_there_are_messages() -> None:
    assert len(MESSAGES) > 35
    assert not any(re.search("no such words as these", text) for text in TEXTS)
