"""Public texts of safety alerts: what the fields of a public copy hold, and no more."""

import itertools
from datetime import date
from typing import Any

import pytest

from schemas.domain import domain_vocabulary
from schemas.safety_alert import AlertCategory, SafetyAlertKind
from schemas.vocabulary import VerificationState
from streams.core.wording.catalogue import Language
from streams.core.wording.public_text import PublicFacts, public_caveat, public_safety_text

INFECTION = "Contamination and infection"
X = "exosomes or stem-cell culture supernatant"
NEW, CLOSED, RETRACTION = (
    SafetyAlertKind.NEW,
    SafetyAlertKind.CLOSED,
    SafetyAlertKind.RETRACTION,
)


def facts(category: AlertCategory, kind: SafetyAlertKind = NEW, **fields: Any) -> PublicFacts:
    values: dict[str, Any] = {
        "product_class": "msc-supernatant-exosome",
        "families": ("infection",),
        "verification": None,
        "band": "1-10",
        "month": date(2023, 11, 14),
    }
    return PublicFacts(category=category, kind=kind, **{**values, **fields})


RUMOUR = AlertCategory.UNVERIFIED_FATAL
HIDDEN = (AlertCategory.FACILITY_CLUSTER, AlertCategory.USAGE_RULE)


@pytest.mark.parametrize(
    ("of", "text"),
    [
        (
            facts(AlertCategory.LOT_CLUSTER, month=date(2019, 10, 9)),
            f"{INFECTION} after {X}: 1 to 10 serious cases that may share one lot (October 2019)",
        ),
        (
            facts(AlertCategory.DISTRIBUTOR_CLUSTER, band="1001 or more"),
            f"{INFECTION} after {X}: 1,001 or more serious cases that may share one distributor "
            "(November 2023)",
        ),
        (
            facts(AlertCategory.MANUFACTURER_CLUSTER, RETRACTION, band="0"),
            f"{INFECTION} after {X}: no longer reported as cases that may share one manufacturer "
            "(November 2023)",
        ),
        (
            facts(AlertCategory.FATAL_CASE, band="11-50"),
            f"11 to 50 deaths reported after {X} (November 2023)",
        ),
        (
            facts(AlertCategory.FATAL_CASE, CLOSED, band="0"),
            f"Reports of deaths after {X}: withdrawn (November 2023)",
        ),
        (facts(RUMOUR), f"1 to 10 deaths alleged after {X} (November 2023)"),
        (
            facts(RUMOUR, CLOSED, band="0"),
            f"Allegations of deaths after {X}: settled or withdrawn (November 2023)",
        ),
        (
            facts(AlertCategory.CASE_SERIES, verification=VerificationState.REPORTED),
            f"{INFECTION} after {X}: 1 to 10 patients described by others; not "
            "verified (November 2023)",
        ),
        (
            facts(AlertCategory.CASE_SERIES, CLOSED, verification=VerificationState.REFUTED),
            f"{INFECTION} after {X}: description of several patients refuted (November 2023)",
        ),
        (
            facts(AlertCategory.CASE_SERIES, families=("infection", "malignancy", "toxicity")),
            f"{INFECTION}, malignant transformation or progression after {X}: 1 to 10 patients "
            "described by others; withdrawn (November 2023)",
        ),
        (
            facts(AlertCategory.ONGOING_EXPOSURE, product_class=None),
            "An unclassified product reportedly still being given (November 2023)",
        ),
        (
            facts(AlertCategory.ONGOING_EXPOSURE, CLOSED),
            "Exosomes or stem-cell culture supernatant: exposure reported to have ended "
            "(November 2023)",
        ),
        (
            facts(AlertCategory.FOLLOW_UP_OVERDUE, families=()),
            "Exosomes or stem-cell culture supernatant: an answer to a question of safety is "
            "awaited (November 2023)",
        ),
        (
            facts(AlertCategory.FOLLOW_UP_OVERDUE, CLOSED),
            "Exosomes or stem-cell culture supernatant: the request for an answer has ended "
            "(November 2023)",
        ),
    ],
)
def test_the_text_of_each_category(of: PublicFacts, text: str) -> None:
    assert public_safety_text(of) == text


def test_the_japanese_text() -> None:
    of = facts(AlertCategory.LOT_CLUSTER, month=date(2019, 10, 9))
    assert public_safety_text(of, Language.JAPANESE) == (
        "汚染及び感染／エクソソーム又は幹細胞培養上清：同一ロットの可能性がある重篤症例1～10例（2019年10月）"
    )


@pytest.mark.parametrize("category", HIDDEN)
def test_facilities_and_sport_have_no_public_text(category: AlertCategory) -> None:
    with pytest.raises(ValueError, match="must be shown to the public"):
        public_safety_text(facts(category))


def test_the_caveat_asks_nobody_to_stop_a_treatment() -> None:
    assert public_caveat("It shows nothing.") == (
        "It shows nothing. Do not stop or change a treatment because of this notice; ask a health "
        "professional."
    )


@pytest.mark.parametrize("category", [c for c in AlertCategory if c not in HIDDEN])
def test_every_sentence_has_at_most_twenty_words_beside_its_terms(category: AlertCategory) -> None:
    for kind, state, product, number in itertools.product(
        SafetyAlertKind,
        VerificationState,
        [None, *domain_vocabulary().classes],
        ["0", "1-10", "1001 or more"],
    ):
        of = facts(
            category,
            kind,
            verification=state,
            product_class=product,
            band=number,
            families=(),
        )
        text = public_safety_text(of)
        assert len(text.split()) <= 20, text
