"""SVG elements as text: escaped, with classes instead of styles, and the frame of a picture."""

from collections.abc import Iterable, Sequence
from html import escape

from schemas.visible_text import visible
from streams.figures.drawing.text_width import shortened

__all__ = [
    "coordinate",
    "fitted_text",
    "line_at",
    "path_of",
    "picture",
    "rectangle",
    "tag",
    "text_at",
]


def coordinate(value: float) -> str:
    """Return a coordinate [px] with one decimal at most.

    >>> coordinate(3.0), coordinate(-0.04), coordinate(2.349)
    ('3', '0', '2.3')
    """
    text = f"{value:.1f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def tag(name: str, content: str = "", /, **attributes: object) -> str:
    """Return an element; `cls` is its class, and `_` in the name of an attribute becomes `-`.

    >>> tag("rect", cls="case", x=1.0, stroke_width=2)
    '<rect class="case" x="1" stroke-width="2"/>'
    """
    given = "".join(
        f' {"class" if key == "cls" else key.replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{given}>{content}</{name}>" if content else f"<{name}{given}/>"


def _attribute(value: object) -> str:
    return coordinate(value) if isinstance(value, float) else escape(visible(str(value)))


def text_at(x: float, y: float, words: str, cls: str = "t") -> str:
    """Return a line of text at its baseline.

    Parameters
    ----------
    x, y
        Place of its start, or of its middle or end with class `m` or `e` [px].
    words
        The text.
    cls
        Classes: `t` soft, `k` ink, `a` accent, `b` bold, `s` small.
    """
    return tag("text", escape(visible(words)), x=float(x), y=float(y), cls=cls)


def fitted_text(x: float, y: float, words: str, room: float, cls: str = "k") -> str:
    """Return a line of text that is no wider than its room [px]; a shortened one has a tooltip."""
    words = visible(words)
    if not words:
        return ""
    short = shortened(words, room, 10.5 if "s" in cls.split() else 12)
    if short == words:
        return text_at(x, y, words, cls)
    content = f"<title>{escape(words)}</title>{escape(short)}"
    return tag("text", content, x=float(x), y=float(y), cls=cls)


def line_at(x1: float, y1: float, x2: float, y2: float, cls: str = "g") -> str:
    """Return a straight line."""
    return tag("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), cls=cls)


def path_of(points: Iterable[tuple[float, float]], cls: str, *, closed: bool = False) -> str:
    """Return a line through points [px]."""
    places = " ".join(f"{coordinate(x)} {coordinate(y)}" for x, y in points)
    return tag("path", d=f"M{places}{'z' if closed else ''}", cls=cls)


def rectangle(x: float, y: float, width: float, height: float, cls: str, **more: object) -> str:
    """Return a rectangle; a negative size is none."""
    size = {"width": max(float(width), 0.0), "height": max(float(height), 0.0)}
    return tag("rect", x=float(x), y=float(y), **size, cls=cls, **more)


def picture(
    name: str | None,
    width: float,
    height: float,
    title: str,
    numbers: Sequence[str],
    body: Iterable[str],
    *,
    definitions: str = "",
    cls: str = "fig",
) -> str:
    """Return a picture with a title and its numbers as a list, one a line, for screen readers.

    Parameters
    ----------
    name
        Prefix of the ids, unique on a page. None hides the picture from screen readers: the cell
        of a table whose row holds the numbers as text.
    width, height
        Size [px].
    title
        What it is.
    numbers
        Its numbers in words, one entry a mark.
    body
        Elements, in the order of drawing.
    definitions
        Patterns that it uses.
    cls
        Classes of the picture.
    """
    size = {"width": float(width), "height": float(height)}
    box = f"0 0 {coordinate(width)} {coordinate(height)}"
    inner = (f"<defs>{definitions}</defs>" if definitions else "") + "".join(body)
    root = {"viewBox": box, **size, "xmlns": "http://www.w3.org/2000/svg"}
    if name is None:
        hidden = {"aria_hidden": "true", "focusable": "false"}
        return tag("svg", inner or " ", cls=cls, **root, **hidden)
    described = escape("\n".join(visible(entry) for entry in numbers))
    names = tag("title", escape(visible(title)), id=f"{name}-title") + tag(
        "desc", described, id=f"{name}-desc"
    )
    labels = f"{name}-title {name}-desc"
    return tag("svg", names + inner, cls=cls, **root, role="img", aria_labelledby=labels)
