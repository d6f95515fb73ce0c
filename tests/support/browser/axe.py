"""Accessibility of a page by axe-core: WCAG 2.2 A and AA, and best practices."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

__all__ = ["axe", "findings"]

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
OPTIONS = {
    "runOnly": {"type": "tag", "values": TAGS},
    "rules": {"target-size": {"enabled": True}},  # WCAG 2.5.8, off unless it is named
    "resultTypes": ["violations"],
}


def axe(page: Page, context: str | None = None) -> None:
    """Raise AssertionError with each finding: rule, element, why. Allows none.

    The script runs through the debugging protocol, which no CSP restricts. `context` is the
    selector of a part, for a component; by default the whole page is checked.
    """
    found = findings(page, context)
    assert not found, f"{page.url}: {len(found)} findings of axe:\n" + "\n".join(found)


def findings(page: Page, context: str | None = None) -> list[str]:
    """Return one text per element that breaks a rule."""
    response = Axe().run(page, context, OPTIONS).response
    return [
        _finding(violation, node)
        for violation in response["violations"]
        for node in violation["nodes"]
    ]


def _finding(violation: dict[str, Any], node: dict[str, Any]) -> str:
    reasons = [check["message"] for kind in ("any", "all", "none") for check in node[kind]]
    lines = [
        f"{violation['id']} ({violation['impact']}): {violation['help']}",
        f"  at {' '.join(map(str, node['target']))}: {' '.join(node['html'].split())[:200]}",
        *(f"  because {reason}" for reason in reasons),
    ]
    return "\n".join(lines)
