"""Public texts on a signal: what its public copy holds, in plain words, and no statistic."""

from dataclasses import dataclass
from datetime import date

from streams.core.wording.catalogue import Language, capitalised, catalogue
from streams.core.wording.names import event_name, plain_product_name
from streams.core.wording.numbers import month_and_year

__all__ = ["PublicTexts", "public_signal_texts"]


@dataclass(frozen=True, slots=True)
class PublicTexts:
    """Texts of a public copy: its first sentence without a full stop, all of it, and its limits."""

    headline: str
    sentence: str
    caveat: str


def public_signal_texts(
    drug: str,
    event: str,
    *,
    band: str,
    on: bool,
    evaluated_on: date,
    language: Language = Language.ENGLISH,
) -> PublicTexts:
    """Return the texts of a public copy, from its fields alone.

    Parameters
    ----------
    drug, event
        As in the alert.
    band
        Band of the cases, such as `1-10`.
    on
        Whether a rule is on.
    evaluated_on
        Any day of the month of the evaluation; only the month is printed.
    """
    words = catalogue(language)
    state = "on" if on else "off"
    headline = words.text(
        f"public.signal_{state}",
        event=capitalised(event_name(event, language)),
        product=plain_product_name(drug, language),
        band=words.text("public.to").join(band.split("-")),
        month=month_and_year(evaluated_on, words),
    )
    return PublicTexts(
        headline=headline,
        sentence=words.sentences([headline, words.text(f"public.rule_{state}")]),
        caveat=words.text("form.space").join(
            [words.text("caveat.signal"), words.text("public.advice")]
        ),
    )
