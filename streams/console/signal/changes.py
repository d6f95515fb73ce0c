"""What changed between two revisions of a signal: five facts, now and then, and the cases."""

from collections.abc import Callable
from dataclasses import dataclass

from schemas.alert import Alert
from schemas.tables import Statistics
from streams.console.frame import formats

__all__ = ["Changes", "Interval", "changes", "component"]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95% interval, as printed; the bounds are None where there is none."""

    value: str
    lower: str | None
    upper: str | None

    @property
    def brackets(self) -> str:
        """Return the bounds in brackets; empty without any.

        >>> Interval("4.44", "3.46", "5.16").brackets
        '[3.46, 5.16]'
        """
        if self.lower is None or self.upper is None:
            return ""
        return formats.interval(self.lower, self.upper)


@dataclass(frozen=True, slots=True)
class Changes:
    """A revision beside an earlier one.

    Attributes
    ----------
    n_more
        Cases more than in the earlier revision; None without one.
    came, left
        Cases that are in one of the two only, sorted. Empty if `listed` is false.
    listed
        Whether both revisions name all of their cases: they name 1,000 at most.
    """

    now: Alert
    before: Alert | None
    n_more: int | None
    came: tuple[str, ...]
    left: tuple[str, ...]
    listed: bool

    @property
    def component(self) -> Interval | None:
        """Return the information component now."""
        return component(self.now.statistics)

    @property
    def component_before(self) -> Interval | None:
        """Return the information component of the earlier revision."""
        return None if self.before is None else component(self.before.statistics)


def changes(now: Alert, before: Alert | None) -> Changes:
    """Return what changed since an earlier revision; all cases came if there is none."""
    cases = set(now.case_ids)
    earlier = set() if before is None else set(before.case_ids)
    pair = [now] if before is None else [now, before]
    listed = all(len(one.case_ids) == one.counts.n_observed for one in pair)
    return Changes(
        now=now,
        before=before,
        n_more=None if before is None else now.counts.n_observed - before.counts.n_observed,
        came=tuple(sorted(cases - earlier)) if listed and before is not None else (),
        left=tuple(sorted(earlier - cases)) if listed else (),
        listed=listed,
    )


def component(
    statistics: Statistics, suffix: str = "", printed: Callable[[float], str] = formats.logarithm
) -> Interval | None:
    """Return the information component of a table as printed; None if it is undefined.

    Parameters
    ----------
    suffix
        `_adjusted` for that within strata.
    """
    value = getattr(statistics, f"ic{suffix}")
    if value is None:
        return None
    lower, upper = (getattr(statistics, f"ic_{end}{suffix}") for end in ("lower", "upper"))
    return Interval(
        printed(value),
        None if lower is None else printed(lower),
        None if upper is None else printed(upper),
    )
