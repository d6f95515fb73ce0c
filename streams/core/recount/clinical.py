"""Recomputes an alert's patients, lots, dechallenge and onset, case by case.

Shares with the stream the encoding of a course (`streams.core.cases.chronology`), and no code that
counts.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from statistics import quantiles

import polars as pl

from schemas.alert import Alert
from schemas.clinical import PatientGroups, TimeToOnset
from streams.core.cases.chronology import LATE_DAYS, Course, parse_course
from streams.core.cases.strata import UNKNOWN
from streams.core.signals.signal_key import names_of_key

__all__ = ["CLINICAL", "REMOVED", "clinical_values", "removed_cases", "removed_values"]

_UNIT = "\x1f"
_EPOCH = date(1970, 1, 1)

CLINICAL = (
    *("n_life_threatening", "patients", "time_to_onset", "n_missing_lot"),
    *("n_stating_onset", "n_late", "first_onset", "last_onset"),
    *("n_stating_dechallenge", "n_positive_dechallenge"),
    *("n_stating_rechallenge", "n_positive_rechallenge"),
)
"""Recounted fields."""


REMOVED = ("n_removed_nullified", "n_removed_duplicates", "n_removed_withdrawn")
"""Recounted fields of removed cases."""


def removed_cases(
    before: pl.DataFrame, linked_away: pl.DataFrame, withdrawn: pl.DataFrame
) -> pl.DataFrame:
    """Return the cases that only a nullification or a link removes, with that as `reason`.

    Parameters
    ----------
    before
        All versions of all cases, grouped by case, the greatest last: `case_id`,
        `nullified`, `counted`.
    linked_away
        `case_id` of the linked duplicates.
    withdrawn
        `case_id` of the cases that a newer release of their source does not have.
    """
    latest = before.unique("case_id", keep="last", maintain_order=True)
    void = latest.filter("nullified").select("case_id")
    not_nullified = before.filter(~pl.col("nullified")).unique(
        "case_id", keep="last", maintain_order=True
    )
    return pl.concat(
        removed.filter("counted").with_columns(pl.lit(field).alias("reason"))
        for field, removed in zip(
            REMOVED,
            (
                not_nullified.join(void, on="case_id", how="semi"),
                latest.join(linked_away, on="case_id", how="semi"),
                latest.join(withdrawn, on="case_id", how="semi").join(
                    linked_away, on="case_id", how="anti"
                ),
            ),
            strict=True,
        )
    )


def removed_values(alert: Alert, removed: pl.DataFrame) -> dict[str, object]:
    """Return the numbers of removed cases of an alert's pair, by field.

    Parameters
    ----------
    removed
        The rows of `removed_cases` of the window that name drug and event.
    """
    if alert.n_removed_nullified is None:  # made before alerts had the field
        return {}
    reasons = removed["reason"].to_list()
    known = REMOVED[:2] if alert.n_removed_withdrawn is None else REMOVED  # likewise
    return {field: reasons.count(field) for field in known}


def clinical_values(alert: Alert, both: pl.DataFrame) -> dict[str, object]:
    """Return the expected values of an alert by field, of the fields that it has.

    Parameters
    ----------
    both
        The cases of the pair, one row each: `day`, `stratum`, `drugs`, `events`, `courses`,
        `onsets` and `life_threatening`.
    """
    if alert.patients is None:  # made before alerts had the field
        return {}
    drug, event = names_of_key(alert.signal_key)
    ages, sexes, courses, days = Counter[str](), Counter[str](), list[Course](), list[int]()
    onsets: list[tuple[date, date]] = []  # of the event, and the first receipt
    columns = ("stratum", "drugs", "courses", "events", "onsets")
    texts = both.select(columns).cast(pl.String).iter_rows()
    for received, row in zip(both["day"].to_list(), texts, strict=True):
        stratum, drugs, of_drugs, events, of_events = row
        age, sex, _ = stratum.split(_UNIT)
        ages[age] += 1
        sexes[sex] += 1
        course = parse_course(_beside(drug, drugs, of_drugs))
        courses.append(course)
        began = _beside(event, events, of_events)
        if began:
            onsets.append((date.fromordinal(began), _EPOCH + timedelta(days=received)))
        if course.start and began:
            days.append(began - course.start)
    dechallenges = [c.dechallenge for c in courses if c.dechallenge is not None]
    rechallenges = [c.rechallenge for c in courses if c.rechallenge is not None]
    return {
        "n_life_threatening": sum(both["life_threatening"].to_list()),
        "patients": PatientGroups(
            **{
                **dict.fromkeys(PatientGroups.model_fields, 0),
                **{"age_unknown" if age == UNKNOWN else age: n for age, n in ages.items()},
                **{"sex_unknown" if sex == UNKNOWN else sex: n for sex, n in sexes.items()},
            }
        ),
        "time_to_onset": _distribution(days),
        "n_missing_lot": sum(not c.lot for c in courses),
        **_of_onsets(alert, onsets),
        "n_stating_dechallenge": len(dechallenges),
        "n_positive_dechallenge": sum(dechallenges),
        "n_stating_rechallenge": len(rechallenges),
        "n_positive_rechallenge": sum(rechallenges),
    }


def _of_onsets(alert: Alert, onsets: Sequence[tuple[date, date]]) -> dict[str, object]:
    if alert.n_late is None:  # made before alerts had the field
        return {}
    late = [began for began, received in onsets if received - began > timedelta(days=LATE_DAYS)]
    in_order = sorted(began for began, _ in onsets)
    return {
        "n_stating_onset": len(onsets),
        "n_late": len(late),
        "first_onset": in_order[0] if in_order else None,
        "last_onset": in_order[-1] if in_order else None,
    }


def _beside(name: str, names: str, codes: str) -> int:
    """Return the code of a name; `names` has a separator on both sides of each."""
    return int(codes.split(_UNIT)[names.split(_UNIT).index(name) - 1]) if codes else 0


def _distribution(days: Sequence[int]) -> TimeToOnset | None:
    if not days:
        return None
    after = [day for day in days if day >= 0]
    quartiles: Sequence[float | None] = [None] * 3
    if after:  # one case gives all three
        quartiles = quantiles(after * 2 if len(after) == 1 else after, n=4, method="inclusive")
    lower, middle, upper = quartiles
    return TimeToOnset(
        n=len(after),
        n_before=len(days) - len(after),
        lower_quartile=lower,
        median=middle,
        upper_quartile=upper,
    )
