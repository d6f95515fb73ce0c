"""What the format of a source is detected from: members of archives, and heads of files."""

from pathlib import Path

import pytest

from schemas.errors import InputError
from streams.intake.documents.content import content_of, open_documents
from tests.support.archives import ArchiveOf


def test_an_archive_has_members_and_the_head_of_its_first_document(archive_of: ArchiveOf) -> None:
    path = archive_of("a.zip", {"b.JSON": b"\xef\xbb\xbf\n {2}", "a.json": " {1}", "c.txt": "x"})
    with content_of(path) as content:
        assert content.has(r".*\.txt", r"b\.json")
        assert not content.has(r".*\.txt", r"d\.json")
        assert content.head == b"{1}"
    found = [(stream.read(9), where, head) for stream, where, head in open_documents(path)]
    assert [(where, text) for text, where, _ in found] == [
        ("a.zip!a.json", b" {1}"),
        ("a.zip!b.JSON", b"\xef\xbb\xbf\n {2}"),
    ]


def test_a_file_has_a_head_and_no_members(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf\r\n{}")
    with content_of(path) as content:
        assert (content.head, content.archive, content.has(".*")) == (b"{}", None, False)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="must be a file; got nothing there"),
        content_of(tmp_path / "none"),
    ):
        pass
