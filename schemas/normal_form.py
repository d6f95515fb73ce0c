"""Normal forms of terms and drug names: spellings of one name have one normal form.

A name as sent is cleaned to its spelling, which is shown. The spelling without regard to case is
the normal form, which is counted, looked up and part of the signal key. No dictionary is involved:
a brand and its substance stay two names unless the name itself says both.
"""

import re
import tomllib
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files

from schemas.visible_text import visible

__all__ = ["LEVEL_NAME", "normal_drug", "normal_term", "spelling_of_drug", "spelling_of_term"]

LEVEL_NAME = re.compile("(lot|facility|family):(?=[^ ])")
"""Start of the name of a level (`streams.core.cases.levels`); such a name has one spelling."""

_MOST_NAMES = 200_000  # kept at a time; the names of a year of FAERS are some 150,000
_STRAY = ".,;:!?*'\"`_~|-–—"
# FAERS writes Greek letters between full stops: `.ALPHA.-TOCOPHEROL`.
_GREEK = re.compile(r"\.[a-z]+\.", re.IGNORECASE)
_SLASHED_CODE = re.compile(r"(?:\s*/[0-9]{6,11}/)+$")
_FLAT = re.compile(r"[^()]*(?:\([^()]*\)[^()]*)*")
_BRACKETED = re.compile(r"([^()]*[^()\s])\s*\(([^()]+)\)")
_BRACKETED_CODE = re.compile(r"\s*\(\s*(?:[a-z]{1,6}-?[0-9]{4,}[a-z]?|[0-9]{6,})\s*\)$", re.I)
_WORD = re.compile(r"[^\W\d_]+")
_ROMAN = re.compile("[ivx]+")
_FEWEST_LETTERS = 4  # of a substance in brackets; abbreviations of three are mostly no substance


def normal_term(text: str) -> str:
    """Return the normal form of a term; the empty text if nothing of it can be read.

    >>> normal_term("Stevens-Johnson  syndrome.") == normal_term("STEVENS-JOHNSON SYNDROME")
    True
    """
    return _normal_term(text)


def normal_drug(text: str) -> str:
    """Return the normal form of a drug name; the empty text if nothing of it can be read.

    >>> normal_drug("FASTURTEC (RASBURICASE)"), normal_drug("Rasburicase /01234501/")
    ('rasburicase', 'rasburicase')
    >>> normal_drug("INSULIN (HUMAN)")
    'insulin (human)'
    """
    return _normal_drug(text)


@lru_cache(maxsize=_MOST_NAMES)
def spelling_of_term(text: str) -> str:
    """Return a term as it is shown: in one line, without stray punctuation at its ends.

    >>> spelling_of_term("COVID-19 .")
    'COVID-19'
    """
    return _settled(text, _cleaned)


@lru_cache(maxsize=_MOST_NAMES)
def spelling_of_drug(text: str) -> str:
    """Return a drug name as it is shown: likewise, and the substance alone where it is named.

    >>> spelling_of_drug("FASTURTEC (Rasburicase).")
    'Rasburicase'
    """
    return _settled(text, _substance)


@lru_cache(maxsize=_MOST_NAMES)
def _normal_term(text: str) -> str:
    return _settled(spelling_of_term(text), lambda name: _cleaned(_folded(name)))


@lru_cache(maxsize=_MOST_NAMES)
def _normal_drug(text: str) -> str:
    return _settled(spelling_of_drug(text), lambda name: _substance(_folded(name)))


def _settled(name: str, step: Callable[[str], str]) -> str:
    """Repeat a step until it changes nothing: then the result is its own normal form."""
    while (after := step(name)) != name:
        name = after
    return name


def _folded(name: str) -> str:
    return name if LEVEL_NAME.match(name) else name.casefold()


def _cleaned(text: str) -> str:
    """Return a name in one line and one width, without stray punctuation at its ends."""
    text = visible(text)
    if not text.isascii():  # after what nobody sees is gone, so that accents behind it compose
        text = visible(unicodedata.normalize("NFKC", text))
    name = " ".join(text.split())
    if LEVEL_NAME.match(name):
        return name
    bare = name.rstrip(_STRAY + " ")
    if not _GREEK.match(bare):
        bare = bare.lstrip(_STRAY + " ")
    return bare or name


def _substance(text: str) -> str:
    """Return the substance of `BRAND (SUBSTANCE)`, without codes behind it; else the whole name."""
    name = _cleaned(text)
    if LEVEL_NAME.match(name):
        return name
    name = _SLASHED_CODE.sub("", name) or name
    if "(" not in name or not _FLAT.fullmatch(name):
        return name
    name = _BRACKETED_CODE.sub("", name) or name
    found = _BRACKETED.fullmatch(name)
    return found[2].strip() if found and _names_substance(found[2].strip()) else name


def _names_substance(bracketed: str) -> bool:
    """Whether the text in brackets names a substance, and does not qualify what is before them."""
    words = _WORD.findall(bracketed.casefold())
    return (
        (bracketed[:1].isalpha() or bool(_GREEK.match(bracketed)))
        and sum(map(len, words)) >= _FEWEST_LETTERS
        and not all(word in _qualifiers() or _ROMAN.fullmatch(word) for word in words)
    )


@lru_cache(maxsize=1)
def _qualifiers() -> frozenset[str]:
    text = files("schemas").joinpath("name_qualifiers.toml").read_text(encoding="utf-8")
    return frozenset(word for group in tomllib.loads(text).values() for word in group["words"])
