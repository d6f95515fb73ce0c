"""Months: alert revisions a month, a panel a kind, all on one scale."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from streams.figures.drawing.axes import day_axis
from streams.figures.drawing.elements import fitted_text, line_at, picture, rectangle, text_at
from streams.figures.drawing.scales import DayScale, LinearScale
from streams.figures.drawing.texts import FigureTexts, figure_texts

__all__ = ["KINDS", "MonthCounts", "MonthsFacts", "months"]

KINDS = ("new", "strengthened", "weakened", "closed", "retraction", "update")
"""Kinds of an alert revision, in the order of the panels."""
_RARE = ("retraction", "update")  # without a panel if there are none
_PANEL, _LEFT, _RIGHT, _TOP = 62, 118, 56, 14  # [px]


@dataclass(frozen=True, slots=True)
class MonthCounts:
    """Alert revisions of one month.

    Attributes
    ----------
    month
        Its first day.
    counts
        Number of revisions by kind; a kind without one had none.
    """

    month: date
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class MonthsFacts:
    """What the picture shows.

    Attributes
    ----------
    months
        The months, in order; one that is missing had none.
    """

    months: Sequence[MonthCounts]


def months(
    facts: MonthsFacts, *, name: str = "months", width: float = 1334, language: str = "en"
) -> str:
    """Return alert revisions a month by kind, as small multiples, never stacked.

    Parameters
    ----------
    facts
        What it shows.
    name
        Prefix of its ids, unique on the page.
    width
        Width [px].
    language
        `en` or `ja`.
    """
    texts = figure_texts(language)
    if not facts.months:
        words = texts.text("empty.months")
        title = texts.text("months.title_empty")
        return picture(name, width, 40, title, [words], [text_at(0, 24, words)])
    first, last = facts.months[0].month, facts.months[-1].month
    end = date(last.year + last.month // 12, last.month % 12 + 1, 1)
    x = DayScale(first, end, _LEFT, width - _RIGHT)
    kinds = [kind for kind in KINDS if kind not in _RARE or _total(facts, kind)]
    most = max(each.counts.get(kind, 0) for each in facts.months for kind in kinds)
    body: list[str] = []
    for position, kind in enumerate(kinds):
        base = _TOP + (position + 1) * _PANEL - 10
        body += _panel(facts, kind, x, base, most, width, texts)
    foot = _TOP + len(kinds) * _PANEL - 10
    body += day_axis(x, foot + 4, texts, reach=_RIGHT)
    title = texts.text(
        "months.title", first=texts.month(first, year=True), last=texts.month(last, year=True)
    )
    return picture(name, width, foot + 28, title, list(_numbers(facts, kinds, texts)), body)


def _total(facts: MonthsFacts, kind: str) -> int:
    return sum(each.counts.get(kind, 0) for each in facts.months)


def _panel(
    facts: MonthsFacts,
    kind: str,
    x: DayScale,
    base: float,
    most: int,
    width: float,
    texts: FigureTexts,
) -> Iterator[str]:
    height = LinearScale(0, max(most, 1), 0, _PANEL - 14)
    top = base - height(most)
    yield line_at(x.start, base, x.end, base, "ax")
    yield line_at(x.start, top, x.end, top, "g")
    yield fitted_text(0, base - 16, texts.text(f"kind.{kind}"), _LEFT - 8, "k b")
    yield text_at(0, base - 1, texts.integer(_total(facts, kind)), "t")
    yield fitted_text(x.end + 6, top + 4, texts.integer(most), width - x.end - 6, "t s")
    for each in facts.months:
        n = each.counts.get(kind, 0)
        if n:
            month = each.month
            end = date(month.year + month.month // 12, month.month % 12 + 1, 1)
            size = max(x(end) - x(month) - 0.8, 1)
            yield rectangle(x(month), base - height(n), size, height(n), "barfill")


def _numbers(facts: MonthsFacts, kinds: Sequence[str], texts: FigureTexts) -> Iterator[str]:
    for kind in kinds:
        label = texts.text(f"kind.{kind}")
        yield texts.text("months.total", label=label, n=texts.integer(_total(facts, kind)))
    for each in facts.months:
        counted = [
            texts.text(
                "months.kind",
                label=texts.text(f"kind.{kind}"),
                n=texts.integer(each.counts.get(kind, 0)),
            )
            for kind in kinds
        ]
        month = each.month.isoformat()[:7]
        yield texts.text("form.labelled", label=month, text=texts.listed(counted))
