"""Elements are found by their local names, in any namespace."""

from lxml import etree

from streams.intake.e2b.tree import attribute, children, find, find_all, text_of, texts

ROOT = etree.fromstring(
    b'<x:a xmlns:x="urn:x"><x:b c="1">one</x:b><b xmlns="urn:y" c="2">two<i>!</i></b><b> </b></x:a>'
)


def test_paths_are_of_local_names() -> None:
    assert attribute(ROOT, "b", "c") == "1"
    assert [text_of(each) for each in find_all(ROOT, "b")] == ["one", "two!", " "]
    assert text_of(find(ROOT, "b/i")) == "!"
    assert texts(ROOT, "b") == ["one", "two!"]


def test_what_is_not_there_is_empty() -> None:
    assert find(None, "b") is None
    assert list(find_all(None, "b")) == texts(None, "b") == []
    assert attribute(None, "", "c") == attribute(ROOT, "z", "c") == text_of(None) == ""
    assert children(None) == children(ROOT).first("z") == ({}, {})


def test_children_are_texts_or_elements() -> None:
    found = children(ROOT)
    assert found.texts == {"b": "one"}
    assert found.elements == {"b": [ROOT[1], ROOT[2]]}
    assert found.first("b").texts == {"i": "!"}
    assert [each.texts for each in found.each("b")] == [{"i": "!"}, {}]
    assert found.each("z") == []
