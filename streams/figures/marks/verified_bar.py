"""Verified bar: cases by verification state as pieces in their patterns, and the key of a state."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.vocabulary import VerificationState
from streams.figures.drawing.elements import picture, tag
from streams.figures.drawing.patterns import pattern_definitions, state_box, state_label
from streams.figures.drawing.texts import figure_texts

__all__ = ["StateCount", "shared_patterns", "state_key", "verified_bar"]

_HEIGHT = 12


@dataclass(frozen=True, slots=True)
class StateCount:
    """Cases of one verification state.

    Attributes
    ----------
    state
        The state; None if the reports do not state who reported.
    n
        Number of cases, or of statements outside of every count.
    """

    state: VerificationState | None
    n: int


def shared_patterns(name: str) -> str:
    """Return the patterns of all states as one hidden picture, shared by the cells of a page."""
    definitions = pattern_definitions(name, VerificationState)
    frame = {"width": 0, "height": 0, "aria_hidden": "true", "focusable": "false"}
    return tag("svg", f"<defs>{definitions}</defs>", cls="fig patterns", **frame)


def verified_bar(
    counts: Sequence[StateCount],
    *,
    name: str | None = None,
    patterns: str | None = None,
    width: float = 64,
    language: str = "en",
) -> str:
    """Return cases by verification state as one bar.

    Parameters
    ----------
    counts
        Cases by state, in the order of drawing.
    name
        Prefix of its ids, unique on the page; None hides it from screen readers, and needs
        `patterns`.
    patterns
        Name of the `shared_patterns` of the page; without it the bar brings its own.
    width
        Width [px].
    language
        `en` or `ja`.
    """
    if name is None and patterns is None:
        msg = "verified_bar: a name or shared patterns must be given; got neither"
        raise ValueError(msg)
    texts = figure_texts(language)
    prefix = patterns or str(name)
    held = [each for each in counts if each.n > 0]
    total = sum(each.n for each in held)
    x, body = 0.5, []
    for each in held:
        size = each.n / total * (width - 1)
        body.append(state_box(prefix, each.state, x, 1.5, size, 9))
        x += size
    if not held:
        body.append(tag("rect", x=0.5, y=1.5, width=width - 1, height=9, cls="track"))
    numbers = [
        texts.count("verified.cases", each.n, label=state_label(each.state, texts))
        for each in counts
    ]
    own = "" if patterns else pattern_definitions(prefix, [each.state for each in held])
    title = texts.text("verified.title")
    return picture(name, width, _HEIGHT, title, numbers, body, definitions=own)


def state_key(state: VerificationState | None, *, name: str, patterns: str | None = None) -> str:
    """Return the pattern of a state as a small box; its word must stand beside it."""
    own = "" if patterns else pattern_definitions(name, [state])
    box = state_box(patterns or name, state, 1, 1, 20, 12)
    return picture(None, 22, 14, "", [], [box], definitions=own, cls="fig sw")
