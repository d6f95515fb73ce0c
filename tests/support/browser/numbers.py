"""Numbers of a text as a person reads them: commas, true minus, percent, brackets, infinity."""

import math
import re

__all__ = ["numbers"]

DATE = r"\d{4}-\d{2}(?:-\d{2})?(?:T[\d:.]+Z?)?(?!\d)"
NAME = r"[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*"  # RUM-1, v2
SIGN = r"(?P<sign>−|(?<![A-Za-z0-9)\]])[+-])?"  # after a number, an ASCII hyphen joins a range
DIGITS = r"(?P<digits>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|∞)"
POWER = r"(?P<power>e[+-]?\d+)?"
FOUND = re.compile(rf"{DATE}|{NAME}|(?<![\d.]){SIGN}{DIGITS}{POWER}(?!\.?[A-Za-z0-9_])")


def numbers(text: str) -> list[float]:
    """Return the numbers of a text in order; those of ISO dates and of names are left out.

    >>> numbers("1,234 cases, IC −0.53 [-1.2, ∞], 12% since 2019-10-07 of lot EX-117")
    [1234.0, -0.53, -1.2, inf, 12.0]
    """
    return [
        _value(match["sign"] or "", match["digits"], match["power"] or "")
        for match in FOUND.finditer(text)
        if match["digits"] is not None
    ]


def _value(sign: str, digits: str, power: str) -> float:
    value = math.inf if digits == "∞" else float(digits.replace(",", "") + power)
    return -value if sign in ("−", "-") else value
