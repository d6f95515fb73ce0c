"""Words of a safety page in one language, and the functions that its templates call."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

from schemas.notice import Notice, Patients
from schemas.vocabulary import VerificationState
from streams.console.frame import formats
from streams.console.frame.rendering import Frame
from streams.console.frame.texts import Texts, texts_in
from streams.console.safety.known_copies import day_of
from streams.core.wording.catalogue import Catalogue, Language, capitalised, catalogue
from streams.core.wording.names import class_name
from streams.core.wording.safety_facts import advisor, role
from streams.delivery.tiers import Copy
from streams.figures.marks.verified_bar import state_key

__all__ = ["PageWords", "template_functions"]


@dataclass(frozen=True, slots=True)
class PageWords:
    """Texts of a language.

    Attributes
    ----------
    page
        Texts of the page.
    alerts
        Templates of the texts of alerts.
    """

    page: Texts
    alerts: Catalogue

    @classmethod
    def of(cls, language: Language) -> "PageWords":
        """Return the words of a language."""
        return cls(texts_in(language), catalogue(language))

    def text(self, name: str, /, **values: object) -> str:
        """Return a text of the safety pages."""
        return self.page(f"safety.{name}", **values)

    def day(self, value: date) -> str:
        """Return a day with its year."""
        return formats.day(value, self.page.language)

    def state(self, state: VerificationState) -> str:
        """Return a verification state in words."""
        return self.text(f"state_{state.value}")

    def states(self, states: Sequence[VerificationState]) -> str:
        """Return the states that a subject went through, in order."""
        return self.text("then").join(map(self.state, states))

    def role(self, by: str) -> str:
        """Return who said something, from the role in a notice."""
        return capitalised(role(by, self.alerts))

    def advisor(self, by: str) -> str:
        """Return who advised to stop the product, from the role in a notice."""
        return advisor(by, self.alerts)

    def who(self, notice: Notice) -> str:
        """Return who sent a notice."""
        said = notice.verification
        return self.role(notice.reporter.value if said is None else said.by)

    def product(self, code: str | None) -> str:
        """Return the short label of a product class."""
        if code is None:
            return self.alerts.text("safety.no_product")
        return class_name(code, self.alerts)

    def listed(self, parts: Iterable[str]) -> str:
        """Return parts separated by commas."""
        return self.alerts.listed(parts)

    def sentences(self, parts: Iterable[str]) -> str:
        """Return sentences, each with its full stop."""
        return self.alerts.sentences(parts)

    def patients(self, patients: Patients | None) -> str:
        """Return a stated number of patients; of none that nothing was stated."""
        if patients is None:
            return self.text("patients_not_stated")
        if patients.exact:
            return formats.count(patients.at_least)
        if patients.at_most is None:
            return self.text("patients_at_least", n=patients.at_least)
        return self.text("patients_between", n=patients.at_least, most=patients.at_most)


def template_functions(frame: Frame) -> dict[str, Callable[..., Any]]:
    """Return the functions: marks of states, days as the tier knows them, parts of addresses."""

    def mark(state: VerificationState | str, name: str) -> str:
        return state_key(VerificationState(state), name=name)

    def month(day: date) -> str:
        return formats.month(day, frame.language)

    def when(copy: Copy) -> str:
        day = day_of(copy)
        return formats.day(day, frame.language) if "evaluated_on" in copy else month(day)

    def quoted(text: str) -> str:
        return quote(text, safe="")

    return {"mark": mark, "month": month, "when": when, "quoted": quoted}
