"""Every relative link of README and docs leads to a file, and to a heading of it, that exist."""

import re
from pathlib import Path

import pytest

from tests.support.documentation import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.M)
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.M | re.S)


def links_of(text: str) -> list[str]:
    """Return the targets of a page's relative links; code holds none."""
    return [link for link in _LINK.findall(_CODE.sub("", text)) if "://" not in link]


def anchors_of(text: str) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    found: set[str] = set()
    for heading in _HEADING.findall(re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        number = sum(1 for anchor in found if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", anchor))
        found.add(f"{slug}-{number}" if number else slug)
    return found


def broken_links(page: Path) -> list[str]:
    """Return the links of a page that lead nowhere."""
    broken = []
    for link in links_of(page.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        found = target.exists()
        if found and anchor:
            found = target.is_file() and anchor in anchors_of(target.read_text(encoding="utf-8"))
        if not found:
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text(
        "# One (`two`), three\n\n```\n# none\n```\n\n## One\n\n## One\n"
    )
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n[a](other.md) [b](other.md#one-two-three) [c](#here) [d](other.md#one-1) "
        "[e](https://example.org/none) `[f](none.md)`\n"
        "[g](none.md) [h](other.md#none) [i](#there) [j](other.md#one-2)\n"
    )
    assert broken_links(page) == ["none.md", "other.md#none", "#there", "other.md#one-2"]
