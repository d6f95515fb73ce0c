import pytest

from schemas.domain import domain_vocabulary, read_vocabulary
from schemas.errors import InputError
from schemas.vocabulary import Donor

MINIMAL = """
version = "1"
[classes.a]
label = "a"
synonyms = ["alpha"]
{extra}
[tissues]
[donors]
[routes]
[indications]
[families]
"""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Exosomes 5 mL", "extracellular-vesicles"),
        ("ＥＸＯＳＯＭＥ", "extracellular-vesicles"),
        ("エクソソーム点滴", "extracellular-vesicles"),
        ("engineered exosomes, drug-loaded", "engineered-ev"),
        ("Stem cell  culture\nsupernatant", "culture-supernatant"),
        ("乳歯歯髄由来 幹細胞培養上清液", "culture-supernatant"),
        ("間葉系幹細胞", "cell-product"),
        ("culture-supernatant", "culture-supernatant"),  # a code stands for itself
        ("aspirin", None),
        ("", None),
        (None, None),
    ],
)
def test_a_name_as_reported_gives_a_class(text, code):
    assert domain_vocabulary().product_class(text) == code


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        ("tissue", "milk tooth pulp", "deciduous-dental-pulp"),
        ("tissue", "臍帯由来", "umbilical-cord"),
        ("tissue", "derived from C-section placentas", None),  # a plural is another word
        ("tissue", "fat cells", "adipose"),
        ("donor", "他家", "allogeneic"),
        ("route", "IV drip", "intravenous"),
        ("route", "private clinic", None),  # 'iv' is no word here
        ("route", "点滴静注", "intravenous"),
        ("indication", "Lung cancer stage IV", "cancer"),
        ("indication", "アンチエイジング", "skin-ageing"),
    ],
)
def test_other_words(kind, text, code):
    assert getattr(domain_vocabulary(), kind)(text) == code


def test_what_is_found_of_a_class_counts_for_those_above():
    classes_of = domain_vocabulary().classes_of
    assert classes_of("engineered-ev") == (
        "engineered-ev",
        "extracellular-vesicles",
        "msc-supernatant-exosome",
    )
    assert classes_of("cell-product") == ("cell-product",)
    assert classes_of("aspirin") == ("aspirin",)


def test_the_four_families():
    vocabulary = domain_vocabulary()
    assert list(vocabulary.families) == ["malignancy", "infection", "immune-reaction", "toxicity"]
    assert vocabulary.family("MALIGNANT NEOPLASM PROGRESSION") == "malignancy"
    assert vocabulary.family("Headache") is None


def test_donor_codes_are_those_of_the_report():
    assert set(domain_vocabulary().donors) == {donor.value for donor in Donor} - {"unknown"}


def test_every_synonym_finds_its_own_code():
    vocabulary = domain_vocabulary()
    for kind, find in [
        ("classes", vocabulary.product_class),
        ("tissues", vocabulary.tissue),
        ("donors", vocabulary.donor),
        ("routes", vocabulary.route),
        ("indications", vocabulary.indication),
    ]:
        for code, term in getattr(vocabulary, kind).items():
            assert {find(synonym) for synonym in term.synonyms} == {code}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("version = ", "must be TOML"),
        (MINIMAL.format(extra='under = "b"'), "classes.a: must be under a known class"),
        (MINIMAL.format(extra='under = "a"'), "classes.a: must be under a known class"),
        (
            MINIMAL.format(extra='[classes.b]\nlabel = "b"\nsynonyms = ["ALPHA"]'),
            "classes.b: the synonym 'ALPHA' must belong to one code",
        ),
        (MINIMAL.format(extra="colour = 1"), "classes.a.colour"),
    ],
)
def test_a_vocabulary_that_contradicts_itself_is_refused(text, reason):
    with pytest.raises(InputError, match="vocabulary") as caught:
        read_vocabulary(text)
    assert reason in str(caught.value)


def test_one_term_in_two_families_is_refused():
    families = (
        '[families.x]\nlabel="x"\nterms=["Sepsis"]\n[families.y]\nlabel="y"\nterms=["sepsis"]'
    )
    text = MINIMAL.format(extra="").replace("[families]", families)
    with pytest.raises(InputError, match=r"families\.y: the term 'sepsis'"):
        read_vocabulary(text)
