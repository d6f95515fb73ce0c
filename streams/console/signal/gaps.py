"""What the cases of a signal do not say: cases without each fact, of all of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from schemas.alert import Alert
from schemas.case_line import CaseLine

__all__ = ["Gap", "gaps"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Cases that do not state a fact, or state it late.

    Attributes
    ----------
    what
        Name of the text that names the fact.
    """

    what: str
    n: int
    of: int


def gaps(alert: Alert, lines: Iterable[CaseLine]) -> tuple[Gap, ...]:
    """Return the facts that some case does not state, the widest gap first.

    Parameters
    ----------
    lines
        The cases as of the day, as far as their reports are known.
    """
    found = [*_of_alert(alert), *_of_lines(list(lines))]
    return tuple(sorted((gap for gap in found if gap.n), key=lambda gap: (-gap.n, gap.what)))


def _of_alert(alert: Alert) -> Iterator[Gap]:
    n = alert.counts.n_observed
    for what, stating in (
        ("gap_dechallenge", alert.n_stating_dechallenge),
        ("gap_rechallenge", alert.n_stating_rechallenge),
        ("gap_onset", alert.n_stating_onset),
    ):
        if stating is not None:
            yield Gap(what, n - stating, n)
    if alert.n_missing_lot is not None:
        yield Gap("gap_lot", alert.n_missing_lot, n)
    if alert.patients is not None:
        yield Gap("gap_age", alert.patients.age_unknown, n)
        yield Gap("gap_sex", alert.patients.sex_unknown, n)
    if alert.n_late and alert.n_stating_onset:
        yield Gap("gap_late", alert.n_late, alert.n_stating_onset)


def _of_lines(lines: list[CaseLine]) -> Iterator[Gap]:
    unknown = sum(line.reporter == "unknown" for line in lines)
    yield Gap("gap_reporter", unknown, len(lines))
