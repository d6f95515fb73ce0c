"""Dossier as PDF by WeasyPrint, from its HTML and the files of this package alone."""

from collections.abc import Mapping
from importlib.resources import files
from urllib.parse import unquote, urlsplit

from weasyprint import HTML
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcherResponse

from schemas.errors import InputError

__all__ = ["dossier_pdf", "own_file"]

_HOST = "desk.invalid"  # a name that never resolves (RFC 2606)
_TYPES = {".css": "text/css", ".ttf": "font/ttf", ".svg": "image/svg+xml"}
_FOLDERS: Mapping[str, tuple[str, str]] = {  # of addresses: package and folder
    "/desk/static/": ("streams.console", "static"),
    "/desk/styles/": ("streams.figures", "styles"),
    "/desk/fonts/": ("streams.figures", "fonts"),
}


def dossier_pdf(page: str) -> bytes:
    """Return a page of the desk as PDF: A4, with its margin boxes and page numbers.

    Raises
    ------
    InputError
        If the page asks for anything but static files of the desk: no request leaves the machine.
    """
    refused: list[str] = []

    def fetch(url: str) -> URLFetcherResponse:
        found = own_file(url)
        if found is None:
            refused.append(url)
            return URLFetcherResponse(url, b"")
        content, kind = found
        return URLFetcherResponse(url, content, {"Content-Type": kind})

    fonts = FontConfiguration()
    document = HTML(string=page, base_url=f"http://{_HOST}/", url_fetcher=fetch, media_type="print")
    pdf = bytes(document.write_pdf(font_config=fonts))
    if refused:
        msg = f"dossier: a page must ask for files of the desk alone; got {refused[0]}"
        raise InputError(msg)
    return pdf


def own_file(url: str) -> tuple[bytes, str] | None:
    """Return content and type of a static file of the desk by its address; None for any other."""
    parts = urlsplit(url)
    path = unquote(parts.path)
    for prefix, (package, folder) in _FOLDERS.items():
        name = path.removeprefix(prefix)
        suffix = f".{name.rpartition('.')[2]}"
        if parts.netloc == _HOST and name != path and "/" not in name and suffix in _TYPES:
            file = files(package).joinpath(folder, name)
            return (file.read_bytes(), _TYPES[suffix]) if file.is_file() else None
    return None
