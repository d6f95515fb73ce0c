"""Pictures as files of their own: the styles inside, with literal colours of one theme."""

import re
from functools import lru_cache
from importlib.resources import files

__all__ = ["THEMES", "standalone"]

THEMES = ("light", "dark", "print")
"""Themes of a file; a page follows its reader instead."""

_FACES = 'Inter, "Noto Sans JP", "Noto Sans CJK JP", "Hiragino Sans", "Yu Gothic UI", sans-serif'
_JAPANESE_FACES = _FACES.removeprefix("Inter, ")
_TEXT = re.compile(r'(<text [^>]*class=")([^"]*)"([^>]*>(?:<title>[^<]*</title>)?[^<]*)')
_HALO = re.compile(r'(<text [^>]*class="[^"]*) halo([^"]*")(.*?</text>)')
_JAPANESE = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
_TOKEN = re.compile(r"--([a-z0-9]+):\s*([^;]+);")
_USE = re.compile(r"var\(--([a-z0-9]+)\)")
_COMMENT = re.compile(r"/\*.*?\*/\s*", re.DOTALL)


def standalone(svg: str, theme: str = "light") -> str:
    """Return a picture with its styles, readable without a page.

    Parameters
    ----------
    svg
        A picture of this room.
    theme
        `light`, `dark` or `print`.

    Raises
    ------
    ValueError
        If there is no such theme.
    """
    if theme not in THEMES:
        msg = f"standalone: the theme must be one of {', '.join(THEMES)}; got {theme!r}"
        raise ValueError(msg)
    head, rest = svg.split(">", 1)
    ground = '<rect class="ground" width="100%" height="100%"/>'
    return f"{head}><style>{_styles(theme)}</style>{ground}{_haloed(_in_their_face(rest))}"


def _in_their_face(svg: str) -> str:
    """Set texts with Japanese in its own face: some renderers take any face that has the glyph."""
    return _TEXT.sub(
        lambda found: (
            f'{found[1]}{found[2]} ja"{found[3]}' if _JAPANESE.search(found[3]) else found[0]
        ),
        svg,
    )


def _haloed(svg: str) -> str:
    """Draw a text with a halo twice: not all renderers paint the stroke below the fill."""
    return _HALO.sub(lambda found: f"{found[0]}{found[1]}{found[2]}{found[3]}", svg)


@lru_cache
def _styles(theme: str) -> str:
    tokens = _tokens(theme)
    text = _COMMENT.sub("", _file("figures.css"))
    filled = _USE.sub(lambda used: tokens[used[1]], text)
    japanese = f".fig .ja {{ font-family: {_JAPANESE_FACES}; }}"
    return re.sub(r"\s*\n\s*", "", filled) + japanese


def _tokens(theme: str) -> dict[str, str]:
    """Return the values of a theme: those of its block over those of the first one, the light."""
    text = _file("tokens.css")
    blocks = {
        "light": text.split("@media", 1)[0],
        "dark": _block(text, "(prefers-color-scheme: dark)"),
        "print": _block(text, "print"),
    }
    found = dict(_TOKEN.findall(blocks["light"])) | dict(_TOKEN.findall(blocks[theme]))
    return found | {"sans": _FACES}


def _block(text: str, query: str) -> str:
    return text.split(f"@media {query}", 1)[1].split("@media", 1)[0].split("\n}", 1)[0]


@lru_cache
def _file(name: str) -> str:
    return files("streams.figures").joinpath("styles", name).read_text("utf-8")
