"""Names of products, events, rules and countries in texts."""

import tomllib
from importlib.resources import files

import pytest

from detectors.rules import PRESETS
from schemas.domain import domain_vocabulary
from streams.core.cases.strata import REGIONS
from streams.core.wording.catalogue import Language, catalogue
from streams.core.wording.names import (
    class_name,
    countries,
    country,
    event_name,
    plain_product_name,
    product_name,
    rule_name,
)

ENGLISH, JAPANESE = Language.ENGLISH, Language.JAPANESE


@pytest.mark.parametrize("language", Language)
def test_every_code_has_a_name_in_both_languages(language: Language) -> None:
    words = catalogue(language)
    assert all(words.find(f"rule.{name}") for name in PRESETS)
    assert all(words.find(f"region.{name}") for name in REGIONS)
    for code in domain_vocabulary().classes:
        assert len((words.find(f"class.{code}") or "x " * 9).split()) <= 6, code
    for code in domain_vocabulary().families:
        assert event_name(f"family:{code}", language)


def test_the_codes_of_vaers_have_names() -> None:
    text = files("streams.core.wording").joinpath("texts", "en", "names.toml").read_text("utf-8")
    products = tomllib.loads(text)["product"]
    assert len(products) == 60
    assert product_name("RV", ENGLISH) == "rotavirus vaccine (RV)"
    assert product_name("HEP", JAPANESE) == "B型肝炎ワクチン（HEP）"


def test_a_name_that_holds_its_code_has_no_brackets() -> None:
    assert product_name("MMR", ENGLISH) == "MMR vaccine"
    assert product_name("MM", ENGLISH) == "measles-mumps vaccine (MM)"
    assert plain_product_name("MM", ENGLISH) == "measles-mumps vaccine"


def test_levels_are_named() -> None:
    assert product_name("facility:C-A", ENGLISH) == "products given at facility C-A"
    assert product_name("lot:EX117", JAPANESE) == "ロットEX117の製品"
    assert product_name("lot: EX117", ENGLISH) == "lot: EX117", "a sender's own name"
    name = "exosomes or stem-cell culture supernatant (msc-supernatant-exosome)"
    assert product_name("msc-supernatant-exosome", ENGLISH) == name
    assert event_name("family:infection", JAPANESE) == "汚染及び感染（用語群）"
    assert class_name("cell-product", catalogue(ENGLISH)) == "living cells"
    assert class_name("no-such-class", catalogue(ENGLISH)) == "no-such-class"


def test_rules_of_ones_own_have_their_title() -> None:
    words = catalogue(ENGLISH)
    assert rule_name("mine", "Rule of our unit", words) == "Rule of our unit"
    assert rule_name("mine", "", words) == "mine"


def test_countries_have_their_short_names() -> None:
    assert countries(["JP", "US"], catalogue(ENGLISH)) == "Japan, United States"
    assert country("JP", catalogue(JAPANESE)) == "日本"
    assert country("XX", catalogue(ENGLISH)) == "XX"
