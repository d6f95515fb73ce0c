"""PDF of a page: our own files alone, A4, with page numbers."""

import re
import zlib
from contextlib import suppress

import pytest

from schemas.errors import InputError
from streams.console.dossier.dossier_pdf import dossier_pdf, own_file

pytestmark = pytest.mark.usefixtures("pango")

_PAGE = (
    '<!doctype html><html lang="en"><head><title>t</title>'
    '<link rel="stylesheet" href="/desk/static/dossier.css"></head>'
    '<body class="dossier"><main>{body}</main></body></html>'
)


def test_a_page_is_a4() -> None:
    pdf = dossier_pdf(_PAGE.format(body="<p>text</p>"))
    assert pdf.startswith(b"%PDF-")
    parts = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    objects = b"".join(filter(None, map(_unpacked, parts)))
    assert re.search(rb"/MediaBox \[\s*0 0 595\.\d+ 841\.\d+", objects)


def _unpacked(stream: bytes) -> bytes:
    with suppress(zlib.error):
        return zlib.decompress(stream)
    return b""


@pytest.mark.parametrize(
    "part",
    [
        '<img src="http://example.com/x.png">',
        '<img src="file:///etc/hostname">',
        '<img src="/desk/signals/x/alert.json">',
        '<p style="background: url(https://example.com/x.svg)">x</p>',
        '<img src="/desk/static/../signal/x.svg">',
    ],
)
def test_anything_else_is_refused(part: str) -> None:
    with pytest.raises(InputError, match="must ask for files of the desk alone; got "):
        dossier_pdf(_PAGE.format(body=part))


def test_own_files_are_found_by_their_address() -> None:
    content, kind = own_file("http://desk.invalid/desk/static/dossier.css") or (b"", "")
    assert b"@page" in content
    assert kind == "text/css"
    face = own_file("http://desk.invalid/desk/fonts/Inter-Regular.ttf")
    assert face is not None
    assert face[1] == "font/ttf"


@pytest.mark.parametrize(
    "url",
    [
        "http://desk.invalid/desk/static/none.css",
        "http://desk.invalid/desk/static/%2e%2e/desk.py",
        "http://desk.invalid/desk/static/desk.py",
        "http://other.invalid/desk/static/dossier.css",
        "file:///desk/static/dossier.css",
    ],
)
def test_no_other_address_is_a_file(url: str) -> None:
    assert own_file(url) is None
