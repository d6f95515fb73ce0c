"""Route of the audit: who saw and decided what, and whether the chain of decisions is whole."""

from contextlib import ExitStack
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import Response

from schemas.decision import AuditEntry
from schemas.errors import InputError, StateError
from schemas.subscription import Tier
from streams.console.access.visits import VisitKind, VisitLog
from streams.console.audit.audit_rows import DECIDED, AuditFilter, RowsPage, rows_page
from streams.console.frame.rendering import Frame, TheFrame
from streams.console.operations.operations import may_operate

__all__ = ["router"]

router = APIRouter()
_MOST = 100  # rows of a page
_KINDS = (DECIDED, *(kind.value for kind in VisitKind))
Text = Annotated[str, Query(max_length=2000)]


@router.get("/audit")
def audit_page(
    frame: TheFrame,
    reader: Text = "",
    kind: Text = "",
    signal: Text = "",
    before_visit: Annotated[int | None, Query(ge=1)] = None,
    before_decision: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """Return rows of both logs, the latest first; visits of others for operators alone."""
    if frame.tier is not Tier.AUTHORITY:
        return frame.refusal(HTTPStatus.NOT_FOUND, "frame.not_there")
    everybody = may_operate(frame)
    asked = AuditFilter(
        reader.strip(),
        kind if kind in _KINDS else "",
        signal.strip(),
        None if everybody else frame.who.reader,
    )
    chain, entries = _chain(frame)
    with ExitStack() as opened:
        path = frame.desk.visit_log
        visits = None if path is None else opened.enter_context(VisitLog(path))
        page = rows_page(
            visits,
            entries,
            asked,
            most=_MOST,
            before_visit=before_visit,
            before_decision=before_decision,
        )
    values = {
        "rows": page.rows,
        "asked": asked,
        "kinds": _KINDS,
        "everybody": everybody,
        "has_visits": path is not None,
        "next": _next(asked, page),
        "first": before_visit is None and before_decision is None,
        **chain,
    }
    return frame.page("audit.html.j2", "audit", values)


def _chain(frame: Frame) -> tuple[dict[str, Any], tuple[AuditEntry, ...]]:
    """Return the state of the log of decisions, and its entries; none of a broken one."""
    log = frame.desk.service.audit
    try:
        verified = log.verify()
    except InputError:
        return {"chain": "empty", "n": 0, "last_hash": "", "broken": "", "torn": 0}, ()
    except (StateError, OSError) as error:
        return {"chain": "broken", "n": 0, "last_hash": "", "broken": str(error), "torn": 0}, ()
    values = {
        "chain": "torn" if verified.torn else "whole",
        "n": len(verified.entries),
        "last_hash": verified.last_hash,
        "broken": "",
        "torn": len(verified.torn),
    }
    return values, verified.entries


def _next(asked: AuditFilter, page: RowsPage) -> str:
    """Return the address of the next page; empty on the last."""
    if page.before_visit is None:
        return ""
    query = {
        "reader": asked.reader,
        "kind": asked.kind,
        "signal": asked.signal,
        "before_visit": page.before_visit,
        "before_decision": page.before_decision,
    }
    return f"/desk/audit?{urlencode({name: value for name, value in query.items() if value})}"
