"""Law lines: which duty to report exists in a jurisdiction, whose, and why or why not."""

from collections.abc import Sequence

from schemas.vocabulary import SupplyRoute
from streams.core.wording.catalogue import Catalogue, Language, catalogue
from streams.core.wording.names import country

__all__ = ["duty_in_table", "duty_not_in_table", "duty_without_country", "law_table_line"]


def duty_in_table(
    place: str,
    *,
    route: SupplyRoute | None,
    holder: str | None,
    recipients: Sequence[str],
    because: str,
    verified: bool,
    route_known: bool = True,
    language: Language = Language.ENGLISH,
) -> str:
    """Return the law line of one entry of the law table.

    Parameters
    ----------
    place
        ISO 3166-1 alpha-2, or `sport`.
    route
        The supply route that the entry is for; None for every route.
    holder
        Who must report; None if nobody must.
    because
        The reason, in full sentences of the language.
    verified
        Whether more than one source was read.
    route_known
        Whether the supply route of the product is known.

    >>> duty_in_table("KR", route=None, holder=None, recipients=["MFDS"],
    ...               because="Nobody holds a licence.", verified=True)
    'Duty to report, South Korea: none. Nobody holds a licence.'
    """
    words = catalogue(language)
    name = _place(place, words)
    if route is not None:
        name = words.text("duty.with_route", place=name, route=words.text(f"duty.route.{route}"))
    if holder is None:
        line = words.text("duty.none", place=name, because=because)
    else:
        line = words.text(
            "duty.holder",
            place=name,
            holder=holder,
            recipients=words.text("duty.and").join(recipients),
            because=because,
        )
    if not verified:
        line = words.text("duty.one_source", line=line)
    return line if route_known else words.text("duty.route_unknown", line=line)


def duty_not_in_table(place: str, language: Language = Language.ENGLISH) -> str:
    """Return the law line of a jurisdiction without an entry for the product class.

    >>> duty_not_in_table("BR")
    'Duty to report, Brazil: not known. The law table has no entry for this product class.'
    """
    words = catalogue(language)
    because = words.text("duty.not_in_table")
    return words.text("duty.unknown", place=_place(place, words), because=because)


def duty_without_country(language: Language = Language.ENGLISH) -> str:
    """Return the law line of cases that state no country."""
    words = catalogue(language)
    place, because = words.text("duty.no_country"), words.text("duty.no_country_because")
    return words.text("duty.unknown", place=place, because=because)


def law_table_line(version: str, language: Language = Language.ENGLISH) -> str:
    """Return the line that ends the law lines of an alert.

    >>> law_table_line("2026-11")
    'Law table 2026-11; not legal advice.'
    """
    return catalogue(language).text("duty.table", version=version)


def _place(place: str, words: Catalogue) -> str:
    return words.text("duty.sport") if place == "sport" else country(place, words)
