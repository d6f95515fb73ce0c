"""`tocsin ack` writes the acknowledgement of one document."""

import gzip
from pathlib import Path

import pytest
from lxml import etree

from tests.support.cli import Run
from tests.support.e2b_r2 import FIELDS, batch_of, message_of

BATCH = batch_of([message_of(), message_of(FIELDS | {"receivedate": "x"})])


def test_the_answer_stands_beside_the_document(run: Run, tmp_path: Path) -> None:
    (tmp_path / "batch.xml").write_bytes(BATCH)
    ended = run("ack batch.xml")
    assert (ended.code, ended.out) == (0, "1 accepted, 1 rejected: batch.xml.ack\n")
    root = etree.parse(tmp_path / "batch.xml.ack").getroot()
    assert root.tag == "ichicsrack"
    comments = [each.text for each in root.iter("errormessagecomment")]
    assert comments == ["receivedate (A.1.6): must be a day, CCYYMMDD; got 'x'"]


def test_a_malformed_rest_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "batch.xml.gz").write_bytes(gzip.compress(BATCH[:-600]))
    ended = run("ack batch.xml.gz -o answer.xml")
    said = ended.out.splitlines()
    assert (ended.code, said[0]) == (0, "1 accepted, 0 rejected: answer.xml")
    assert said[1].startswith("the document must be well-formed XML")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("notes.txt", "notes.txt: must be an ICH E2B document in XML, gzipped or not; got"),
        ("gone.xml", "gone.xml: must be a file; got nothing there"),
    ],
)
def test_something_else_is_refused(name: str, says: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    ended = run(f"ack {name}")
    assert ended.code == 2
    assert says in ended.err
    assert not list(tmp_path.glob("*.ack"))
