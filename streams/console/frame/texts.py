"""Texts of the pages by language, from the TOML files in `streams/console/texts`.

A text is a format string by name, such as `worklist.title`. One that depends on a count `n` is a
table with the forms `one` (English only) and `other`.
"""

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

from babel.numbers import format_decimal

from streams.core.wording.catalogue import Language

__all__ = ["Texts", "texts_in"]

Forms = Mapping[str, str]


class Texts:
    """Texts of one language.

    Parameters
    ----------
    templates
        Format strings, or their forms by count, by name.
    """

    def __init__(self, language: Language, templates: Mapping[str, str | Forms]) -> None:
        self.language = language
        self.templates = templates

    def __call__(self, name: str, /, **values: object) -> str:
        """Return a text with its values filled in; whole numbers get separators.

        Raises
        ------
        KeyError
            If there is no such text, or a value is missing: a defect, never an input error.
        """
        template = self.templates[name]
        if not isinstance(template, str):
            one = values["n"] == 1 and "one" in template
            template = template["one" if one else "other"]
        return template.format(**{key: self._printed(value) for key, value in values.items()})

    def find(self, name: str) -> str | None:
        """Return a text without values by its name; None if there is none."""
        template = self.templates.get(name)
        return template if isinstance(template, str) else None

    def _printed(self, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            return format_decimal(value, locale=self.language.value)
        return value


@lru_cache
def texts_in(language: Language) -> Texts:
    """Return the texts of a language."""
    templates: dict[str, str | Forms] = {}
    folder = files("streams.console").joinpath("texts", language.value)
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        page = file.name.removesuffix(".toml")
        for name, value in tomllib.loads(file.read_text("utf-8")).items():
            templates[f"{page}.{name}"] = value
    return Texts(language, templates)
