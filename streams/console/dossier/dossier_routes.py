"""Routes of the dossier of a signal: HTML and PDF of the same content."""

from dataclasses import replace

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup

from streams.console.cases.case_access import require_cases
from streams.console.dossier.dossier_pdf import dossier_pdf
from streams.console.frame.rendering import Frame, TheFrame
from streams.console.signal.asked import Asked, asked_signal
from streams.console.signal.figures import IN_PRINT, SignalFigures
from streams.console.signal.measures_table import Comparator
from streams.console.signal.signal_page import AsOf, signal_values
from streams.figures.standalone import standalone

__all__ = ["router"]

router = APIRouter(prefix="/signals/{key}")


@router.get("/dossier.html")
def dossier_as_html(frame: TheFrame, key: str, as_of: AsOf = None) -> HTMLResponse:
    """Return the dossier as a page."""
    asked = _asked(frame, key, as_of)
    return HTMLResponse(_dossier(frame, asked, in_file=False))


@router.get("/dossier.pdf")
def dossier_as_pdf(frame: TheFrame, key: str, as_of: AsOf = None) -> Response:
    """Return the dossier as PDF."""
    asked = _asked(frame, key, as_of)
    name = f"dossier-{asked.alert.alert_id}.pdf"
    return Response(
        dossier_pdf(_dossier(frame, asked, in_file=True)),
        media_type="application/pdf",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def _asked(frame: Frame, key: str, as_of: AsOf) -> Asked:
    asked = asked_signal(frame.desk, frame.tier, key, as_of=as_of)
    require_cases(frame)
    return asked


def _dossier(frame: Frame, asked: Asked, *, in_file: bool) -> str:
    """Return the dossier as HTML; in a file each picture has its styles with it."""
    values = dict(signal_values(frame, asked, Comparator.ALL, IN_PRINT))
    values["form"] = None
    values["strata_table"] = signal_values(frame, asked, Comparator.STRATA, IN_PRINT)["table"]
    figures: SignalFigures | None = values["figures"]
    if in_file and figures is not None:
        values["figures"] = _with_styles(figures)
    return frame.rendered("dossier.html.j2", {"place": "", "in_file": in_file, **values})


def _with_styles(figures: SignalFigures) -> SignalFigures:
    return replace(
        figures,
        trend=_standalone(figures.trend),
        forest=_standalone(figures.forest),
        swimlane=_standalone(figures.swimlane),
        neighbours=_standalone(figures.neighbours),
        evidence=None if figures.evidence is None else _standalone(figures.evidence),
    )


def _standalone(svg: Markup) -> Markup:
    return Markup(standalone(str(svg), "print"))
