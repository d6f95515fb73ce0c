"""Pictures as files: each format readable, with the face that is shipped."""

import io
import re
import zlib
from importlib.resources import files
from pathlib import Path

import pytest
from PIL import Image

from schemas.errors import InputError
from streams.exports.figure_file import SUFFIXES, figure_pdf, require_suffix, write_figure
from streams.figures.standalone import standalone
from streams.figures.swimlane import swimlane
from streams.figures.trend import trend
from tests.support.picture_facts import EMPTY_PICTURES, SWIMLANE, TREND
from tests.support.pictures import entries_of

SVG = trend(TREND)


def test_an_svg_keeps_the_numbers_and_brings_its_styles(tmp_path: Path) -> None:
    path = tmp_path / "trend.svg"
    write_figure(SVG, path, theme="dark")
    assert path.read_text("utf-8") == standalone(SVG, "dark")
    assert entries_of(path.read_text("utf-8")) == entries_of(SVG)


@pytest.mark.parametrize(("theme", "ground"), [("light", (255, 255, 255)), ("dark", (27, 28, 31))])
def test_a_png_has_two_pixels_for_one(
    theme: str, ground: tuple[int, int, int], tmp_path: Path
) -> None:
    path = tmp_path / "trend.png"
    write_figure(SVG, path, theme=theme)
    image = Image.open(path).convert("RGB")
    assert image.size == (1880, 640)
    assert image.getpixel((1, 639)) == ground
    colours = image.getcolors(1 << 16)
    assert colours is not None
    assert len(colours) > 20  # text and marks


def test_a_png_does_not_depend_on_the_faces_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_figure(SVG, tmp_path / "first.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FONTCONFIG_FILE", "/dev/null")
    write_figure(SVG, tmp_path / "second.png")
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def _unpacked(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


def test_a_pdf_is_one_page_of_the_size_of_the_picture() -> None:
    packed = figure_pdf(standalone(SVG, "print"))
    assert packed.startswith(b"%PDF-")
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", packed, re.DOTALL)
    content = packed + b"".join(map(_unpacked, streams))
    assert b"/Count 1" in content
    assert b"MediaBox [0 0 705 240]" in content  # 940 x 320 px, of 0.75 pt
    assert b"Inter" in content


@pytest.mark.parametrize("name", EMPTY_PICTURES)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_picture_is_a_file_too(name: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"empty{suffix}"
    write_figure(EMPTY_PICTURES[name](), path)
    assert path.stat().st_size > 300


def test_text_of_a_japanese_picture_is_drawn(tmp_path: Path) -> None:
    sizes = []
    for language in ("en", "ja"):
        path = tmp_path / f"{language}.png"
        write_figure(swimlane(SWIMLANE, language=language), path)
        sizes.append(len(Image.open(io.BytesIO(path.read_bytes())).tobytes()))
    assert sizes[0] == sizes[1]
    assert (tmp_path / "en.png").read_bytes() != (tmp_path / "ja.png").read_bytes()


def test_the_suffix_may_be_in_capitals_and_another_is_refused(tmp_path: Path) -> None:
    assert require_suffix(Path("x.SVG")) == ".svg"
    with pytest.raises(InputError, match=r"must end in \.svg, \.png, \.pdf; got 'x\.gif'"):
        write_figure(SVG, tmp_path / "x.gif")
    assert list(tmp_path.iterdir()) == []


def test_the_face_is_shipped_with_its_licence() -> None:
    folder = files("streams.figures").joinpath("fonts")
    names = {each.name for each in folder.iterdir()}
    assert {"Inter.woff2", "Inter-Regular.ttf", "Inter-Semibold.ttf", "OFL.txt"} <= names
    assert "SIL Open Font License, Version 1.1" in folder.joinpath("OFL.txt").read_text("utf-8")
