"""Templates of texts by language, from the TOML files in `texts`: one folder a language.

A template is a format string by name, such as `signal.first`. One that depends on a count has an
`other` form, and in English a `one` form.
"""

import tomllib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from typing import Any

__all__ = ["Catalogue", "Language", "capitalised", "catalogue"]


class Language(StrEnum):
    """Language of a text."""

    ENGLISH = "en"
    JAPANESE = "ja"


class Catalogue:
    """The templates of one language.

    Parameters
    ----------
    templates
        Format strings by name.
    """

    def __init__(self, language: Language, templates: Mapping[str, str]) -> None:
        self.language = language
        self.templates = templates

    def text(self, name: str, /, **values: object) -> str:
        """Return a template with its values filled in.

        Raises
        ------
        KeyError
            If there is no such template, or a value is missing: a defect, never an input error.
        """
        return self.templates[name].format(**values)

    def find(self, name: str) -> str | None:
        """Return a text without values by its name; None if there is none."""
        return self.templates.get(name)

    def count(self, name: str, n: int, /, **values: object) -> str:
        """Return the form of a template for a count, as `n`, with separated thousands."""
        form = f"{name}.one" if n == 1 else f"{name}.other"
        template = self.templates.get(form) or self.templates[f"{name}.other"]
        return template.format(n=f"{n:,}", **values)

    def listed(self, parts: Iterable[str]) -> str:
        """Return parts of a list, separated by commas."""
        return self.templates["form.comma"].join(parts)

    def clauses(self, parts: Iterable[str]) -> str:
        """Return clauses of one sentence, separated by semicolons."""
        return self.templates["form.semicolon"].join(parts)

    def rules(self, parts: Iterable[str]) -> str:
        """Return clauses on rules, separated as the language separates them."""
        return self.templates["form.rules"].join(parts)

    def sentences(self, parts: Iterable[str]) -> str:
        """Return sentences, each with its full stop and a capital at its beginning."""
        stop, space = self.templates["form.stop"], self.templates["form.space"]
        return space.join(f"{capitalised(part)}{stop}" for part in parts if part)


def capitalised(text: str) -> str:
    """Return a text with its first letter in upper case, and the rest as it is."""
    return text[:1].upper() + text[1:]


@lru_cache
def catalogue(language: Language) -> Catalogue:
    """Return the templates of a language."""
    folder = files("streams.core.wording").joinpath("texts", language.value)
    templates: dict[str, str] = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        templates |= _flat("", tomllib.loads(file.read_text("utf-8")))
    return Catalogue(language, templates)


def _flat(prefix: str, table: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in table.items():
        if isinstance(value, str):
            found[prefix + name] = value
        else:
            found |= _flat(f"{prefix}{name}.", value)
    return found
