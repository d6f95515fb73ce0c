"""Dates, ages and texts of ICH E2B elements.

A date is the sender's own day: the digits as written, whatever offset from UTC follows them.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone

from streams.intake.dates import DateRange, date_range, stated_day
from streams.intake.text import parse_decimal

__all__ = ["age_in_years", "moment", "stated", "stated_range", "weight_in_kg", "years_between"]

_STAMP = re.compile(
    r"([0-9]{4,14})(?:(?<=[0-9]{8})(?:\.[0-9]{1,6})?(?:([+-])([0-9]{2}):?([0-9]{2})?|Z)?)?"
)
_DAY, _SECOND = 8, 14  # digits of a day, and of a second
_DAYS_A_YEAR = 365.25
_HEAVIEST = 700  # kg: the limit of `Patient.weight_kg`
_OLDEST = 150  # years: the limit of `Patient.age_years`
_YEARS = {
    **{"10.a": 10.0, "{decade}": 10.0, "a": 1.0, "mo": 1 / 12},  # UCUM, release 3
    **{"wk": 7 / _DAYS_A_YEAR, "d": 1 / _DAYS_A_YEAR, "h": 1 / (24 * _DAYS_A_YEAR)},
    **{"800": 10.0, "801": 1.0, "802": 1 / 12},  # release 2
    **{"803": 7 / _DAYS_A_YEAR, "804": 1 / _DAYS_A_YEAR, "805": 1 / (24 * _DAYS_A_YEAR)},
}


def stated_range(text: str) -> DateRange | None:
    """Parse a date or a time of either release: the first and last day that it can mean.

    >>> stated_range("20220614235959-0500")[0], stated_range("202402")[1], stated_range("2022-06")
    (datetime.date(2022, 6, 14), datetime.date(2024, 2, 29), None)
    """
    match = _STAMP.fullmatch(text.strip())
    return date_range(match[1][:_DAY]) if match else None  # it caches, so no other text


def stated(text: str) -> date | None:
    """Parse a day; a month or a year alone is unknown.

    >>> stated("20220614"), stated("202206"), stated("20220631")
    (datetime.date(2022, 6, 14), None, None)
    """
    return stated_day(stated_range(text))


def moment(text: str) -> str:
    """Return a time as 14 digits of UTC, which sort by time; what is not stated is zero.

    >>> moment("20220614101010-0500"), moment("20220614"), moment("soon")
    ('20220614151010', '20220614000000', '')
    """
    match = _STAMP.fullmatch(text.strip())
    if match is None:
        return ""
    digits = match[1].ljust(_SECOND, "0")
    if match[2] is None:
        return digits
    offset = timedelta(hours=int(match[3]), minutes=int(match[4] or 0))
    try:
        zone = timezone(-offset if match[2] == "-" else offset)
        written = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=zone)
        return written.astimezone(UTC).strftime("%Y%m%d%H%M%S")
    except (ValueError, OverflowError):
        return digits


def age_in_years(number: str, unit: str) -> float | None:
    """Parse an age with its unit, a code of either release; over 150 years it is unknown.

    >>> age_in_years("18", "mo"), age_in_years("6", "800"), age_in_years("48", "kg")
    (1.5, 60.0, None)
    """
    value, factor = parse_decimal(number), _YEARS.get(unit.strip())
    if value is None or factor is None or value * factor > _OLDEST:
        return None
    return value * factor


def years_between(birth: date, day: date) -> float | None:
    """Return the completed years between a birth and a day; None if the day is before the birth.

    >>> years_between(date(2001, 6, 15), date(2014, 6, 14))
    12.0
    """
    years = day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))
    return float(years) if day >= birth and years <= _OLDEST else None


def weight_in_kg(text: str) -> float | None:
    """Parse a weight; over 700 kg it is unknown.

    >>> weight_in_kg("48.2"), weight_in_kg("0"), weight_in_kg("9000")
    (48.2, None, None)
    """
    weight = parse_decimal(text)
    return weight if weight is not None and 0 < weight <= _HEAVIEST else None
