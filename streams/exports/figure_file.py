"""Pictures as files: SVG, PNG and PDF, with the same face everywhere."""

import re
from importlib.resources import as_file, files
from pathlib import Path

import resvg_py
from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration

from schemas.errors import InputError
from streams.exports.result_file import result_file
from streams.figures.standalone import standalone

__all__ = ["SUFFIXES", "figure_pdf", "figure_png", "require_suffix", "write_figure"]

SUFFIXES = (".svg", ".png", ".pdf")
"""Formats of a picture, by the suffix of its file."""

_FACES = ("Inter-Regular.ttf", "Inter-Semibold.ttf")
_WEIGHTS = (400, 600)
_SCALE = 2.0  # pixels of a PNG for one of the picture
_SIZE = re.compile(r'<svg[^>]* width="([\d.]+)" height="([\d.]+)"')


def write_figure(svg: str, path: Path, *, theme: str = "light") -> None:
    """Write a picture to a file, in the format of its suffix.

    Parameters
    ----------
    svg
        A picture of `streams.figures`.
    path
        The file: `.svg`, `.png` or `.pdf`.
    theme
        `light`, `dark` or `print`.

    Raises
    ------
    InputError
        If the suffix is another one.
    """
    suffix = require_suffix(path)
    drawn = standalone(svg, theme)
    if suffix == ".svg":
        content = drawn.encode()
    else:
        content = figure_png(drawn) if suffix == ".png" else figure_pdf(drawn)
    with result_file(path) as part:
        part.write_bytes(content)


def require_suffix(path: Path) -> str:
    """Return the suffix of a picture's file.

    Raises
    ------
    InputError
        If it is none of `SUFFIXES`.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        msg = f"plot: the file must end in {', '.join(SUFFIXES)}; got {path.name!r}"
        raise InputError(msg)
    return suffix


def figure_png(svg: str) -> bytes:
    """Return a picture of `standalone` as PNG, two pixels for one."""
    with as_file(files("streams.figures").joinpath("fonts")) as folder:
        faces = [str(folder / face) for face in _FACES]
        return bytes(
            resvg_py.svg_to_bytes(
                svg_string=svg, font_files=faces, sans_serif_family="Inter", zoom=_SCALE
            )
        )


def figure_pdf(svg: str) -> bytes:
    """Return a picture of `standalone` as PDF, a page of its size."""
    found = _SIZE.search(svg)
    width, height = found.groups() if found else ("680", "400")
    with as_file(files("streams.figures").joinpath("fonts")) as folder:
        fonts = FontConfiguration()
        style = CSS(
            string="".join(
                f"@font-face {{ font-family: Inter; font-weight: {weight}; "
                f"src: url({(folder / face).as_uri()}) }}"
                for face, weight in zip(_FACES, _WEIGHTS, strict=True)
            )
            + f"@page {{ size: {width}px {height}px; margin: 0 }} body {{ margin: 0 }}"
            + "svg { display: block }",
            font_config=fonts,
        )
        page = HTML(string=f"<!doctype html><html><body>{svg}</body></html>")
        return bytes(page.write_pdf(stylesheets=[style], font_config=fonts))
