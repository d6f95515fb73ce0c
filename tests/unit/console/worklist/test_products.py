"""What a row is about, in both languages, and what finds it."""

from schemas.safety_alert import SafetyAlert
from schemas.subscription import Tier
from streams.console.worklist.products import What, searched_names, what_of
from streams.core.wording.catalogue import Language
from tests.support.alerts import copy_of, safety, signal

SIGNAL = signal(drug="FLU3", event="Guillain-Barre syndrome").model_dump(mode="json")


def with_terms() -> SafetyAlert:
    return safety().model_copy(update={"terms": ("Sepsis", "Fever", "Chills", "Rash")})


def test_a_signal_is_its_event_and_the_full_name_of_its_product() -> None:
    assert what_of(SIGNAL, Language.ENGLISH) == What(
        "Guillain-Barre syndrome", "seasonal influenza vaccine (FLU3)"
    )
    assert "FLU3" in what_of(SIGNAL, Language.JAPANESE).product
    assert what_of(SIGNAL, Language.JAPANESE).event == "Guillain-Barre syndrome"


def test_a_safety_alert_is_its_subject_with_three_terms() -> None:
    alert = with_terms()
    found = what_of(alert.model_dump(mode="json"), Language.ENGLISH)
    assert (found.event, found.subject) == ("Sepsis, Fever, Chills +1", "EX117")


def test_a_tier_below_the_authority_knows_no_lot() -> None:
    copy = copy_of(Tier.CONSUMER, safety(subject="EX117"))
    assert "ex117" not in searched_names(copy)
    assert "EX117" not in what_of(copy, Language.ENGLISH).subject


def test_a_search_finds_names_of_both_languages_and_every_term() -> None:
    names = searched_names(SIGNAL).splitlines()
    assert "guillain-barre syndrome" in names
    assert "seasonal influenza vaccine (flu3)" in names
    assert any("ワクチン" in name for name in names)
    alert = with_terms()
    assert "rash" in searched_names(alert.model_dump(mode="json"))
