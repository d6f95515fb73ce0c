"""Scale of days with long gaps cut out, each drawn as a break."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from streams.figures.drawing.axes import day_labels
from streams.figures.drawing.scales import DayScale
from streams.figures.drawing.texts import FigureTexts

__all__ = ["BrokenDayScale", "broken_day_scale"]

_LONGEST_GAP = timedelta(days=400)  # without anything, before it is cut out
_PADDING = timedelta(days=21)  # kept before and after what happened
_REACH = 16  # of a label beyond the end of its stretch [px]
_BREAK = 32  # width of a break [px]
_NARROWEST = 0.12  # share of the width of a stretch


@dataclass(frozen=True, slots=True)
class BrokenDayScale:
    """Scale of days in stretches.

    Attributes
    ----------
    stretches
        The stretches, in order; a day between two of them is at the break.
    """

    stretches: Sequence[DayScale]

    def __call__(self, day: date) -> float:
        """Return the place of a day [px]."""
        for stretch in self.stretches:
            if day <= stretch.last:
                return stretch(max(day, stretch.first))
        return self.stretches[-1].end

    @property
    def breaks(self) -> list[float]:
        """Return the middles of the breaks [px]."""
        return [stretch.end + _BREAK / 2 for stretch in self.stretches[:-1]]

    def labelled_days(self, texts: FigureTexts) -> Iterator[tuple[date, str]]:
        """Yield the days to label in each stretch, with their labels."""
        for stretch in self.stretches:
            yield from day_labels(stretch, texts, reach=_REACH)


def broken_day_scale(
    days: Iterable[date], last_day: date, start: float, end: float
) -> BrokenDayScale:
    """Return a scale that holds days and cuts out gaps of more than 400 days.

    Parameters
    ----------
    days
        Days on which something happened; at least one.
    last_day
        Last day to hold.
    start, end
        Ends [px].
    """
    held = sorted({*(day for day in days if day <= last_day), last_day})
    groups = [[held[0]]]
    for day in held[1:]:
        if day - groups[-1][-1] > _LONGEST_GAP:
            groups.append([day])
        else:
            groups[-1].append(day)
    spans = [(group[0] - _PADDING, min(group[-1] + _PADDING, last_day)) for group in groups]
    lengths = [max((last - first).days, 1) for first, last in spans]
    room = end - start - _BREAK * (len(spans) - 1)
    shares = [max(length / sum(lengths), _NARROWEST) for length in lengths]
    at, stretches = start, []
    for (first, last), share in zip(spans, shares, strict=True):
        size = room * share / sum(shares)
        stretches.append(DayScale(first, last, at, at + size))
        at += size + _BREAK
    return BrokenDayScale(stretches)
