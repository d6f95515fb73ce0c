"""Normal forms of terms and drug names, by tables written by hand."""

import tomllib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.normal_form import normal_drug, normal_term, spelling_of_drug, spelling_of_term

ALIKE = [
    ("Stevens-Johnson syndrome", "stevens-johnson syndrome"),
    ("STEVENS-JOHNSON SYNDROME", "stevens-johnson syndrome"),
    (" Stevens-Johnson \t syndrome .", "stevens-johnson syndrome"),
    ("Stevens-Johnson\u00a0syndrome", "stevens-johnson syndrome"),
    ("Stevens-\u00adJohnson syndrome", "stevens-johnson syndrome"),
    ("\u200bNausea\x00", "nausea"),
    ("ＮＡＵＳＥＡ", "nausea"),
    ('"Nausea"', "nausea"),
    ("*Nausea;", "nausea"),
    ("Nausea?!", "nausea"),
    ("GROẞE Straße", "grosse strasse"),
    ("ﬁbrosis", "fibrosis"),
    ("İ", "i\u0307"),
    ("Blood glucose (fasting)", "blood glucose (fasting)"),
    ("Pain 5%", "pain 5%"),
    ("...", "..."),
    ("\u200b\x1f", ""),
    ("", ""),
    ("family:infection", "family:infection"),
    ("lot:EX117.", "lot:EX117."),
]

DRUGS = [
    ("RASBURICASE", "rasburicase"),
    ("RASBURICASE.", "rasburicase"),
    ("Rasburicase", "rasburicase"),
    ("FASTURTEC (RASBURICASE)", "rasburicase"),
    ("FASTURTEC(RASBURICASE).", "rasburicase"),
    ("FASTURTEC  ( Rasburicase, )", "rasburicase"),
    ("RASBURICASE /01234501/", "rasburicase"),
    ("RASBURICASE /01234501/ /00587301/.", "rasburicase"),
    ("RASBURICASE (SR29142)", "rasburicase"),
    ("RASBURICASE (SR-29142)", "rasburicase"),
    ("FASTURTEC (RASBURICASE) /01234501/", "rasburicase"),
    ("FASTURTEC (RASBURICASE (SR29142))", "fasturtec (rasburicase (sr29142))"),
    ("ACTIVELLE (ESTRADIOL, NORETHISTERONE)", "estradiol, norethisterone"),
    ("AVONEX (INTERFERON BETA-1A)", "interferon beta-1a"),
    ("E (.ALPHA.-TOCOPHEROL)", ".alpha.-tocopherol"),
    ("アクメ（アスピリン）", "アスピリン"),
    # Brackets that qualify.
    ("INSULIN (HUMAN)", "insulin (human)"),
    ("INSULIN (HUMAN, RECOMBINANT)", "insulin (human, recombinant)"),
    ("MULTIVITAMIN (NOS)", "multivitamin (nos)"),
    ("ACME (FILM-COATED TABLET)", "acme (film-coated tablet)"),
    ("ACME (ORAL)", "acme (oral)"),
    ("POLIO VACCINE (INACTIVATED)", "polio vaccine (inactivated)"),
    ("WARFARIN (SODIUM)", "warfarin (sodium)"),
    ("DTP (NO BRAND NAME)", "dtp (no brand name)"),
    ("ASPIRIN (BAYER)", "aspirin (bayer)"),
    ("ACME (MIGRAINE)", "acme (migraine)"),
    ("IRON (III)", "iron (iii)"),
    ("FACTOR (VIII)", "factor (viii)"),
    ("ACME (ASA)", "acme (asa)"),
    ("ACME (40 MG)", "acme (40 mg)"),
    ("ACME (1000 MG)", "acme (1000 mg)"),
    ("IODINE (I131)", "iodine (i131)"),
    # Brackets elsewhere, nested, unbalanced or empty.
    ("IRON (III) OXIDE", "iron (iii) oxide"),
    ("(OXALIPLATIN) - SOLUTION", "(oxaliplatin) - solution"),
    ("(RASBURICASE)", "(rasburicase)"),
    ("INSULIN (HUMAN) (ACTRAPID)", "insulin (human) (actrapid)"),
    ("FASTURTEC (RASBURICASE", "fasturtec (rasburicase"),
    ("FASTURTEC RASBURICASE)", "fasturtec rasburicase)"),
    ("FASTURTEC ()", "fasturtec ()"),
    ("/01234501/", "/01234501/"),
    (".ALPHA.-TOCOPHEROL", ".alpha.-tocopherol"),
    ("lot:EX117 (RASBURICASE)", "lot:EX117 (RASBURICASE)"),
]


@pytest.mark.parametrize(("text", "form"), ALIKE)
def test_spellings_of_a_term_have_one_form(text: str, form: str) -> None:
    assert normal_term(text) == form


@pytest.mark.parametrize(("text", "form"), [*DRUGS, *((t, f) for t, f in ALIKE if "(" not in t)])
def test_spellings_of_a_drug_have_one_form(text: str, form: str) -> None:
    assert normal_drug(text) == form


def test_the_spelling_keeps_its_capitals() -> None:
    assert spelling_of_term(" COVID-19  pneumonia.") == "COVID-19 pneumonia"
    assert spelling_of_drug("Fasturtec (Rasburicase) /01234501/") == "Rasburicase"
    assert spelling_of_drug("Insulin (human).") == "Insulin (human)"
    assert spelling_of_drug("Fasturtec ( Rasburicase /01234501/, )") == "Rasburicase"


def test_a_term_in_brackets_is_no_substance() -> None:
    assert normal_term("Pain (lower back)") == "pain (lower back)"
    assert normal_term("Pyrexia /01234501/") == "pyrexia /01234501/"


# What names are made of, and what breaks them: brackets, codes, marks, letters that fold to others.
PARTS = st.sampled_from(
    [
        *(
            "aspirin",
            "ASPIRIN",
            "Human",
            "III",
            "sr29142",
            "/01234501/",
            "lot:",
            "family:",
            "ß",
            "İ",
        ),
        *(
            "(",
            ")",
            " ",
            ".",
            ",",
            "?",
            "-",
            "\u200b",
            "\x1f",
            "\u0345",
            "ﬁ",
            "Ⅷ",
            "ς",
            "ª",
            ".alpha.",
        ),
    ]
)
NAMES = st.lists(PARTS, max_size=8).map("".join) | st.text(max_size=12)


@given(text=NAMES)
def test_a_form_is_its_own_form(text: str) -> None:
    for normal, spelling in (
        (normal_term, spelling_of_term),
        (normal_drug, spelling_of_drug),
    ):
        form = normal(text)
        assert normal(form) == form
        assert normal(spelling(text)) == form
        assert spelling(spelling(text)) == spelling(text)
        assert "\x1f" not in form + spelling(text)


def test_qualifiers_are_single_small_words_and_each_has_one_reason() -> None:
    text = files("schemas").joinpath("name_qualifiers.toml").read_text(encoding="utf-8")
    groups = tomllib.loads(text)
    words = [word for group in groups.values() for word in group["words"]]
    assert all(word.isalpha() and word == word.casefold() for word in words)
    assert len(words) == len(set(words))
    assert all(group["reason"] for group in groups.values())
