"""Placing of labels without overlap: a label that finds no free place is left out."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from streams.figures.drawing.elements import text_at
from streams.figures.drawing.text_width import text_width

__all__ = ["LabelPlaces"]

_GAP = 3  # kept free at both ends of a label [px]
_ASCENT, _DESCENT = 11, 3  # of a line of text above and below its baseline [px]
_ANCHORS = {"": 0.0, "m": 0.5, "e": 1.0}

Box = tuple[float, float, float, float]


@dataclass(slots=True)
class LabelPlaces:
    """The places that labels take.

    Attributes
    ----------
    left, right, top, bottom
        Where labels may be [px].
    """

    left: float
    right: float
    top: float
    bottom: float
    taken: list[Box] = field(default_factory=list)

    def keep_free(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Let no label cover a box [px]."""
        self.taken.append((x0, y0, x1, y1))

    def place(
        self, words: str, cls: str, candidates: Iterable[tuple[float, float, str]]
    ) -> str | None:
        """Return a label at the first candidate that is free; None if none is.

        Parameters
        ----------
        words
            The label.
        cls
            Its classes.
        candidates
            Baselines [px] with the anchor: empty for the start, `m` the middle, `e` the end.
        """
        size = text_width(words)
        for x, y, anchor in candidates:
            start = x - size * _ANCHORS[anchor]
            box = (start, y - _ASCENT, start + size, y + _DESCENT)
            if self._is_free(box):
                self.taken.append((start - _GAP, box[1], start + size + _GAP, box[3]))
                return text_at(x, y, words, f"{cls} {anchor}".rstrip())
        return None

    def _is_free(self, box: Box) -> bool:
        x0, y0, x1, y1 = box
        inside = self.left <= x0 and x1 <= self.right and self.top <= y0 and y1 <= self.bottom
        return inside and not any(
            a0 < x1 and x0 < a1 and b0 < y1 and y0 < b1 for a0, b0, a1, b1 in self.taken
        )
