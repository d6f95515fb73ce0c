"""Elements are found by their codes and roots."""

from lxml import etree

from streams.intake.e2b.r3_elements import coded, identifier, is_observation, is_true

ROOT = etree.fromstring(
    '<a><id root="r" extension=" 7 "/><o><code code="3" codeSystem="s"/><value value="true"/></o>'
    '<o><code code="3" codeSystem="s"/><value value="false"/></o><o><code code="4"/></o>'
    '<o><code code="5" codeSystem="other"/></o></a>'
)


def test_elements_are_found_by_the_code_of_a_system() -> None:
    found = coded(ROOT, "o", "s")
    assert list(found) == ["3", "4"], "a code without a system is of the one that is asked for"
    assert is_true(found["3"]), "the first of two"
    assert not is_true(found["4"])


def test_an_identifier_has_a_root() -> None:
    assert (identifier(ROOT, "r"), identifier(ROOT, "q")) == ("7", "")


def test_an_observation_of_another_system_is_another_one() -> None:
    assert is_observation(etree.fromstring('<o><code code="4"/></o>'), "4")
    assert not is_observation(ROOT[4], "5")
    assert not is_observation(ROOT, "5")
