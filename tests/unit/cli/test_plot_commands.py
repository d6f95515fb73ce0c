"""`tocsin plot` writes a picture, or says why not."""

from pathlib import Path

import pytest

from tests.support.cli import require_refused, tocsin
from tests.support.explained import in_order
from tests.support.pictures import entries_of, root_of


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reports") / "reports.jsonl"
    path.write_text("".join(report.model_dump_json() + "\n" for report in in_order()))
    return path


@pytest.mark.parametrize(
    ("kind", "pair"), [("signal", ("zinc", "rash")), ("volcano", ()), ("calendar", ())]
)
def test_a_picture_is_written(
    kind: str, pair: tuple[str, ...], source: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"{kind}.svg"
    done = tocsin("plot", kind, *pair, source, "-o", path, "--rules", "mhra")
    assert (done.code, done.err.strip()) == (0, "")
    assert done.out == f"Wrote {path}\n"
    svg = path.read_text("utf-8")
    assert root_of(svg).get("role") == "img"
    assert entries_of(svg)


def test_language_width_theme_and_day(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.svg"
    options = ("--language", "ja", "--width", "680", "--theme", "dark", "--until", "2024-02-10")
    assert tocsin("plot", "signal", "zinc", "rash", source, "-o", path, *options).code == 0
    svg = path.read_text("utf-8")
    assert "2024年2月" in svg
    assert root_of(svg).get("width") == "680"
    assert "#1b1c1f" in svg


def test_a_pdf_is_for_print_and_a_png_light(source: Path, tmp_path: Path) -> None:
    for suffix, magic in ((".pdf", b"%PDF"), (".png", b"\x89PNG")):
        path = tmp_path / f"x{suffix}"
        assert tocsin("plot", "months", source, "-o", path).code == 0
        assert path.read_bytes().startswith(magic)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("signal", "zinc", "SOURCE", "-o", "x.svg"), "DRUG, EVENT and a SOURCE must be given"),
        (("signal", "zinc", "gout", "SOURCE", "-o", "x.svg"), "must name the event; got 'gout'"),
        (("volcano", "SOURCE", "-o", "x.gif"), "must end in .svg, .png, .pdf; got 'x.gif'"),
        (("volcano", "SOURCE", "-o", "no/x.svg"), "the folder to write into must exist"),
        (("volcano", "SOURCE", "-o", "x.svg", "--width", "100"), "440"),
        (("sunburst", "SOURCE", "-o", "x.svg"), "sunburst"),
        (("volcano", "SOURCE", "-o", "x.svg", "--until", "2001-01-01"), "a report by --until"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    words: tuple[str, ...], said: str, source: Path, tmp_path: Path
) -> None:
    given = (source if word == "SOURCE" else word for word in words)
    require_refused(tocsin("plot", *given, folder=tmp_path), said)
    assert not list(tmp_path.glob("x.*"))
