"""The sentence of an alert: the pair, its counts, its bounds and its rules in plain words."""

from collections.abc import Sequence

from schemas.alert import AlertKind, SignalGrade, Statistics
from schemas.tables import RestrictedStatistics
from streams.core.cases.levels import drug_in_words, event_in_words

__all__ = ["odds_ratio_in_words", "sentence_of"]

_VERBS = {
    AlertKind.NEW: "is reported disproportionately often with",
    AlertKind.STRENGTHENED: "is reported even more disproportionately with",
    AlertKind.WEAKENED: "is reported less disproportionately than before with",
    AlertKind.UPDATE: "is still reported disproportionately often with",
    AlertKind.RETRACTION: "is, after cases were retracted, not reported disproportionately with",
    AlertKind.CLOSED: "is no longer reported disproportionately with",
}


def sentence_of(
    kind: AlertKind,
    drug: str,
    event: str,
    n_observed: int,
    statistics: Statistics,
    *,
    fires: Sequence[str],
    held: Sequence[str],
    grade: SignalGrade | None,
) -> str:
    """Return the sentence of a revision.

    Parameters
    ----------
    fires, held
        Names of the rules that fire, and of those that stay on until past their exits.
    grade
        Grade of the signal; None if it is off.
    """
    n, expected = n_observed, statistics.expected
    counts = f"{n} {'case' if n == 1 else 'cases'}"
    if expected is not None:
        counts += f", {expected:.3g} expected if they were independent"
    parts = [f"{event_in_words(event)} {_VERBS[kind]} {drug_in_words(drug)}: {counts}"]
    if ror := odds_ratio_in_words(statistics):
        parts.append(ror)
    if statistics.ic is not None:
        parts.append(
            f"IC {statistics.ic:.2f} [{statistics.ic_lower:.2f}, {statistics.ic_upper:.2f}]"
        )
    text = "; ".join(parts)
    text += f". Rules that fire: {', '.join(fires)}." if fires else ". No rule fires."
    text += f" On until past their exits: {', '.join(held)}." if held else ""
    return text + (" No rule of the alarm is on." if grade is SignalGrade.SCREENING else "")


def odds_ratio_in_words(statistics: Statistics | RestrictedStatistics) -> str:
    """Return the odds ratio with its interval; empty if it is undefined.

    A null ratio with a lower bound is unbounded.
    """
    if statistics.ror_lower is None:
        return ""
    ratio, upper = (
        "unbounded" if value is None else f"{value:.3g}"
        for value in (statistics.ror, statistics.ror_upper)
    )
    return f"ROR {ratio} [{statistics.ror_lower:.3g}, {upper}]"
