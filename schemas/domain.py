"""The domain's vocabulary, from `domain.toml`: product classes, tissues, routes, hazard families.

Counts and rules use codes; synonyms, English and Japanese, map reported words to codes. Mapping
never changes a report: the words as reported are kept beside the code.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Annotated, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from schemas.base import Message
from schemas.errors import InputError
from schemas.normal_form import normal_term
from schemas.visible_text import visible

__all__ = [
    "DomainVocabulary",
    "EventFamily",
    "ProductClass",
    "Term",
    "domain_vocabulary",
    "read_vocabulary",
]

_Words = Annotated[tuple[str, ...], Field(min_length=1)]
_LATIN = re.compile(r"[a-z0-9]")


class Term(Message):
    """A code of the vocabulary."""

    label: str = Field(min_length=1, description="In words, for people.")
    synonyms: _Words = Field(description="Spellings, English and Japanese.")


class ProductClass(Term):
    """A class of products; its cases also count for the class above."""

    under: str | None = Field(default=None, description="Code of the class above; null at the top.")


class EventFamily(Message):
    """A hazard family: the reactions of one hazard."""

    label: str = Field(min_length=1, description="In words, for people.")
    terms: _Words = Field(description="Terms of the family, compared by their normal forms.")


class DomainVocabulary(Message):
    """The vocabulary of one version.

    Each method maps text of a report to a code, or to None if no synonym occurs in it. The
    longest synonym in the text decides: 'engineered exosomes' are not plain exosomes.
    """

    version: str = Field(min_length=1, description="Of the data.")
    classes: Mapping[str, ProductClass] = Field(description="Product classes by code.")
    tissues: Mapping[str, Term] = Field(description="Tissues of origin by code.")
    donors: Mapping[str, Term] = Field(description="Donor relations by code of `Donor`.")
    routes: Mapping[str, Term] = Field(description="Routes of administration by code.")
    indications: Mapping[str, Term] = Field(description="Claimed indications by code.")
    families: Mapping[str, EventFamily] = Field(description="Hazard families by code.")

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for code, entry in self.classes.items():
            above, seen = entry.under, {code}
            while above is not None:
                if above not in self.classes or above in seen:
                    msg = f"classes.{code}: must be under a known class, and not under itself"
                    raise ValueError(msg)
                seen.add(above)
                above = self.classes[above].under
        shared: dict[str, str] = {}
        for code, family in self.families.items():
            for term in family.terms:
                if shared.setdefault(normal_term(term), code) != code:
                    msg = f"families.{code}: the term {term!r} must belong to one family"
                    raise ValueError(msg)
        for kind in ("classes", "tissues", "donors", "routes", "indications"):
            owner: dict[str, str] = {}
            for code, term in getattr(self, kind).items():
                for synonym in term.synonyms:
                    if owner.setdefault(_folded(synonym), code) != code:
                        msg = f"{kind}.{code}: the synonym {synonym!r} must belong to one code"
                        raise ValueError(msg)
        return self

    def product_class(self, text: str | None) -> str | None:
        """Return the class of a product by its name as reported.

        >>> domain_vocabulary().product_class("ヒト脂肪由来幹細胞培養上清液")
        'culture-supernatant'
        """
        return _found(self.classes, self._synonyms["classes"], text)

    def classes_of(self, code: str) -> tuple[str, ...]:
        """Return a class and its ancestors, narrowest first; an unknown code alone."""
        found = [code]
        while (entry := self.classes.get(found[-1])) and entry.under:
            found.append(entry.under)
        return tuple(found)

    def tissue(self, text: str | None) -> str | None:
        """Return the code of the tissue of origin."""
        return _found(self.tissues, self._synonyms["tissues"], text)

    def donor(self, text: str | None) -> str | None:
        """Return the relation of donor to patient, a code of `schemas.vocabulary.Donor`."""
        return _found(self.donors, self._synonyms["donors"], text)

    def route(self, text: str | None) -> str | None:
        """Return the route of administration."""
        return _found(self.routes, self._synonyms["routes"], text)

    def indication(self, text: str | None) -> str | None:
        """Return the code of the claimed indication."""
        return _found(self.indications, self._synonyms["indications"], text)

    def family(self, term: str) -> str | None:
        """Return the hazard family of a reaction.

        >>> domain_vocabulary().family("sepsis")
        'infection'
        """
        return self._family_of.get(normal_term(term))

    @cached_property
    def _synonyms(self) -> Mapping[str, tuple[tuple[str, str], ...]]:
        kinds = ("classes", "tissues", "donors", "routes", "indications")
        return {kind: _longest_first(getattr(self, kind)) for kind in kinds}

    @cached_property
    def _family_of(self) -> Mapping[str, str]:
        families = self.families.items()
        return {normal_term(term): code for code, family in families for term in family.terms}


@lru_cache(maxsize=1)
def domain_vocabulary() -> DomainVocabulary:
    """Return the vocabulary that is shipped."""
    return read_vocabulary(files("schemas").joinpath("domain.toml").read_text(encoding="utf-8"))


def read_vocabulary(text: str) -> DomainVocabulary:
    """Read a vocabulary from TOML.

    Raises
    ------
    InputError
        If it is no TOML, or breaks a rule of `DomainVocabulary`; the message names the entry.
    """
    try:
        raw = tomllib.loads(text)
        return TypeAdapter(DomainVocabulary).validate_python(raw, strict=False)
    except tomllib.TOMLDecodeError as error:
        msg = f"vocabulary: must be TOML; got {error}"
        raise InputError(msg) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        msg = f"vocabulary: {where + ': ' if where else ''}{first['msg']}"
        raise InputError(msg) from error


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", visible(text)).casefold().split())


def _longest_first(terms: Mapping[str, Term]) -> tuple[tuple[str, str], ...]:
    """Return every synonym, folded, with its code; a code matches itself as a whole text."""
    pairs = [(_folded(synonym), code) for code, term in terms.items() for synonym in term.synonyms]
    return tuple(sorted(pairs, key=lambda pair: -len(pair[0])))


def _found(
    terms: Mapping[str, Term], synonyms: Iterable[tuple[str, str]], text: str | None
) -> str | None:
    if not text:
        return None
    folded = _folded(text)
    if folded in terms:
        return folded
    # Nearly no synonym occurs in the text; this check costs a tenth of a call.
    codes = (code for synonym, code in synonyms if synonym in folded and _holds(folded, synonym))
    return next(codes, None)


def _holds(text: str, synonym: str) -> bool:
    """Return whether the text has the synonym; a Latin one as a word ('iv' is in 'private')."""
    start = text.find(synonym)
    while start >= 0:
        end = start + len(synonym)
        before, after = text[start - 1 : start], text[end : end + 1]
        if not (
            (_LATIN.match(synonym[0]) and before and _LATIN.match(before))
            or (_LATIN.match(synonym[-1]) and after and _LATIN.match(after))
        ):
            return True
        start = text.find(synonym, start + 1)
    return False
