"""Fills of the verification states: darker if more certain, dashed edges outside of every count."""

from collections.abc import Iterable

from schemas.vocabulary import VerificationState
from streams.figures.drawing.elements import line_at, rectangle, tag
from streams.figures.drawing.texts import FigureTexts

__all__ = ["pattern_definitions", "state_box", "state_class", "state_label"]

_CLASSES = {
    VerificationState.AUTHORITY_CONFIRMED: "confirmed",
    VerificationState.HCP_CONFIRMED: "confirmed",
    VerificationState.VALID_ICSR: "valid",
    VerificationState.REPORTED: "reported",
    VerificationState.RUMOUR: "rumour",
    VerificationState.CONTESTED: "contested",
    VerificationState.REFUTED: "struck",
    VerificationState.NULLIFIED: "struck",
    VerificationState.UNRESOLVABLE: "unresolvable",
}
_BARE = {"confirmed", "struck", "unresolvable"}  # no pattern: solid, or empty
_TILES = {
    "valid": (4, '<path class="bar" d="M1 0V4"/>'),
    "reported": (5, '<circle class="dot" cx="2.5" cy="2.5" r="1"/>'),
    "rumour": (7, '<path class="hair" d="M0 7 7 0"/>'),
    "contested": (7, '<path class="hair" d="M0 7 7 0M0 0 7 7"/>'),
}


def state_class(state: VerificationState | None) -> str:
    """Return the class of a state; one that is not stated is drawn as reported."""
    return "reported" if state is None else _CLASSES[state]


def pattern_definitions(name: str, states: Iterable[VerificationState | None]) -> str:
    """Return the patterns of states, with ids that begin with a name.

    >>> pattern_definitions("spark", [VerificationState.HCP_CONFIRMED])
    ''
    """
    return "".join(
        _tile(name, each) for each in sorted({state_class(state) for state in states} - _BARE)
    )


def _tile(name: str, each: str) -> str:
    size, marks = _TILES[each]
    ground = f'<rect class="s0" width="{size}" height="{size}"/>'
    sides = {"width": size, "height": size, "patternUnits": "userSpaceOnUse"}
    return tag("pattern", ground + marks, id=f"{name}-{each}", **sides)


def state_box(
    name: str,
    state: VerificationState | None,
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    more: str = "",
) -> str:
    """Return a box with the fill of a state.

    Parameters
    ----------
    name
        Prefix of the patterns' ids: see `pattern_definitions`.
    state
        The state.
    x, y, width, height
        The box [px].
    more
        Further classes, such as `new`.
    """
    each = state_class(state)
    fill = None if each in _BARE else f"url(#{name}-{each})"
    box = rectangle(x, y, width, height, f"st {each} {more.strip()}".rstrip(), fill=fill)
    if each != "struck":
        return box
    return box + line_at(x, y + height, x + width, y, "strike")


def state_label(state: VerificationState | None, texts: FigureTexts) -> str:
    """Return the word of a state, which stands beside its pattern."""
    return texts.text(f"state.{'not_stated' if state is None else state.value}")
