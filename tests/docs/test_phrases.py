"""The phrase check finds phrases across lines, and keeps exceptions with a reason."""

import pytest

from tests.phrases import Hit, hits_in, read_phrases

DATA = r"""
[[phrases]]
pattern = '\bmade anew\b'
write = "rebuilt"

[[phrases]]
pattern = '\ba look\b'
write = "evaluation"
exceptions = [{ file = "docs/history.md", reason = "quotes a title" }]
"""


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("The index is made anew.", [Hit(1, "made anew", "rebuilt")]),
        ("one\ntwo, Made Anew\n", [Hit(2, "Made Anew", "rebuilt")]),
        ("# It is made\n# anew at start.\n", [Hit(1, "made anew", "rebuilt")]),
        ("    made\n    anew\n", [Hit(1, "made anew", "rebuilt")]),
        ("A look; made anew", [Hit(1, "made anew", "rebuilt"), Hit(1, "A look", "evaluation")]),
        ("unmade anewly, a lookout", []),
        ("It is rebuilt at each start.", []),
    ],
)
def test_a_phrase_is_found_with_its_line(text: str, hits: list[Hit]) -> None:
    assert list(hits_in(text, read_phrases(DATA))) == hits


def test_an_exception_is_of_one_file_and_gives_its_reason() -> None:
    phrases = read_phrases(DATA)
    assert not list(hits_in("a look", phrases, file="docs/history.md"))
    assert list(hits_in("a look", phrases, file="docs/other.md"))
    with pytest.raises(ValueError, match="an exception must give its reason; got"):
        read_phrases(DATA.replace(', reason = "quotes a title"', ""))
