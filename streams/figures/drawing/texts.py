"""Texts of the pictures by language: whole sentences from TOML, months and numbers from CLDR."""

import math
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Any

from babel.dates import format_date
from babel.numbers import format_decimal

__all__ = ["FigureTexts", "figure_texts"]

_LARGEST = 1e15  # beyond it a ratio is written as a power of ten


class FigureTexts:
    """The texts of one language.

    Parameters
    ----------
    language
        `en` or `ja`.
    templates
        Format strings by name, such as `trend.title`.
    """

    def __init__(self, language: str, templates: Mapping[str, str]) -> None:
        self.language = language
        self.templates = templates

    def text(self, name: str, /, **values: object) -> str:
        """Return a template with its values.

        Raises
        ------
        KeyError
            If there is no such template, or a value is missing: a defect, never an input error.
        """
        return self.templates[name].format(**values)

    def count(self, name: str, n: int, /, **values: object) -> str:
        """Return the form of a template for a count, as `n`, with separated thousands."""
        form = f"{name}.one" if n == 1 else f"{name}.other"
        template = self.templates.get(form) or self.templates[f"{name}.other"]
        return template.format(n=self.integer(n), **values)

    def find(self, name: str) -> str | None:
        """Return a text without values by its name; None if there is none."""
        return self.templates.get(name)

    def integer(self, n: int) -> str:
        """Return a count with separated thousands."""
        return format_decimal(n, locale=self.language)

    def decimal(self, value: float | None, digits: int = 2) -> str:
        """Return a number with a fixed number of decimals and a true minus sign."""
        if value is None or math.isnan(value):
            return self.text("number.undefined")
        if math.isinf(value):
            return self.text("number.unbounded")
        rounded = f"{value:.{digits}f}"
        return f"{abs(float(rounded)):.{digits}f}" if float(rounded) == 0 else _minus(rounded)

    def significant(self, value: float | None, digits: int = 3) -> str:
        """Return a ratio or an expected count: significant digits, thousands separated."""
        if value is None or math.isnan(value):
            return self.text("number.undefined")
        if math.isinf(value):
            return self.text("number.unbounded")
        if value == 0:
            return "0"
        magnitude = math.floor(math.log10(abs(value)))
        if abs(value) >= _LARGEST:
            return self.power(magnitude)
        rounded = round(value, digits - 1 - magnitude)
        decimals = max(digits - 1 - math.floor(math.log10(abs(rounded))), 0)
        return _minus(f"{rounded:,.{min(decimals, 12)}f}")

    def power(self, exponent: int) -> str:
        """Return a power of ten with its exponent raised."""
        raised = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"10{raised}"

    def power_of_two(self, exponent: float) -> str:
        """Return a power of two as a plain number, for an axis of ratios."""
        return self.integer(int(2**exponent)) if exponent >= 0 else f"{2.0**exponent:g}"

    def day(self, day: date) -> str:
        """Return a day without its year."""
        return format_date(day, self.text("format.day"), locale=self.language)

    def full_day(self, day: date) -> str:
        """Return a day with its year."""
        return format_date(day, self.text("format.full_day"), locale=self.language)

    def month(self, day: date, *, year: bool = False) -> str:
        """Return the month of a day, with its year if asked."""
        form = "format.month_and_year" if year else "format.month"
        return format_date(day, self.text(form), locale=self.language)

    def year(self, day: date) -> str:
        """Return the year of a day."""
        return format_date(day, self.text("format.year"), locale=self.language)

    def weekday(self, day: date) -> str:
        """Return the weekday of a day."""
        return format_date(day, "EEE", locale=self.language)

    def listed(self, parts: Iterable[str]) -> str:
        """Return parts of a list, separated as the language separates them."""
        return self.templates["form.comma"].join(parts)


def _minus(text: str) -> str:
    return text.replace("-", "−")


@lru_cache
def figure_texts(language: str) -> FigureTexts:
    """Return the texts of a language, `en` or `ja`.

    Raises
    ------
    FileNotFoundError
        If there are none: a defect, never an input error.
    """
    path = files("streams.figures").joinpath("texts", f"{language}.toml")
    return FigureTexts(language, _flat("", tomllib.loads(path.read_text("utf-8"))))


def _flat(prefix: str, table: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in table.items():
        if isinstance(value, str):
            found[prefix + name] = value
        else:
            found |= _flat(f"{prefix}{name}.", value)
    return found
