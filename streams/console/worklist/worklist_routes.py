"""Routes of the worklist."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from streams.console.frame.rendering import TheFrame
from streams.delivery.api.read_model import SignalSort

__all__ = ["router"]

router = APIRouter()


@router.get("")
def worklist_page(frame: TheFrame) -> HTMLResponse:
    """Return the worklist."""
    service = frame.desk.service
    with service.model() as model:
        page = model.signals(
            frame.tier,
            after="",
            most=100,
            wanted=lambda copy: "category" not in copy,
            today=service.now().date(),
            sort=SignalSort.PRIORITY,
        )
    return frame.page("worklist.html.j2", "worklist", {"rows": page.copies})
