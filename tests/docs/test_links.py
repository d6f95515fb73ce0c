"""Every relative link of a page leads to a file and a heading that exist."""

import re
from pathlib import Path

import pytest

from tests.support.documentation import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").glob("*.md")),
    *sorted((ROOT / "tests").rglob("*.md")),
]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^ *```.*?^ *```$|`[^`\n]*`", re.M | re.S)
HEADING = re.compile(r"^#+ +(.+?) *$", re.M)


def links_of(page: str) -> list[str]:
    """Return the targets of the relative links of a page, those in code left out."""
    found = LINK.findall(CODE.sub(lambda code: "`" * len(code[0]), page))
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors_of(page: str) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page.

    >>> sorted(anchors_of("# A page\\n\\n## `one`: two, three\\n"))
    ['a-page', 'one-two-three']
    """
    fenced = re.compile(r"^ *```.*?^ *```$", re.M | re.S)
    words = (
        re.sub(r"[^\w\- ]", "", text.lower()) for text in HEADING.findall(fenced.sub("", page))
    )
    return {text.replace(" ", "-") for text in words}


def dead_links(path: Path) -> list[str]:
    """Return the links of a page that lead nowhere."""
    dead = []
    for link in links_of(path.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (
            anchor and anchor not in anchors_of(target.read_text(encoding="utf-8"))
        ):
            dead.append(link)
    return dead


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    assert dead_links(path) == []


def test_dead_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# Here\n\n```\n# not here\n```\n")
    page = tmp_path / "a.md"
    page.write_text(
        "# Top\n[1](b.md) [2](b.md#here) [3](#top) [4](https://example.org/c.md) `[5](d.md)`\n"
        "[6](c.md) [7](b.md#there) [8](#bottom) [9](b.md#not-here)\n"
    )
    assert dead_links(page) == ["c.md", "b.md#there", "#bottom", "b.md#not-here"]
