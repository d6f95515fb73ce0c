"""Routes of rejects: by rule with the first of each; redrive after a dry run and a typed count."""

import shlex
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response

from schemas.errors import BrokerError
from schemas.subscription import Tier
from streams.console.access.visits import VisitKind
from streams.console.frame.forms import CheckedFrame, FormRefused
from streams.console.frame.rendering import Frame, TheFrame
from streams.console.operations.operations import may_operate
from streams.console.operations.rejects import Redrivable, RejectGroup, first_line
from streams.delivery.api.tokens import Scope
from streams.runtime.operations.redrive import Redrive

__all__ = ["router"]

router = APIRouter()
_HERE = "/desk/operations/rejected"
_COUNTED = "redrive"  # what a seal is for
Rule = Annotated[str, Query(max_length=2000)]


@dataclass(frozen=True, slots=True)
class RejectRow:
    """Rejects of one rule, as the table shows them.

    Attributes
    ----------
    line
        First line of the first one; None if the reader may not read cases.
    place
        Source and position of the first one.
    command
        Command line of the dry run.
    """

    group: RejectGroup
    line: str | None
    place: str
    command: str


@router.get("/operations/rejected")
def rejected_page(frame: TheFrame, rule: Rule = "", redriven: int | None = None) -> Response:
    """Return the rejects by rule; of the named rule, what a redrive would do."""
    rejects = frame.desk.rejects
    if frame.tier is not Tier.AUTHORITY:
        return frame.refusal(HTTPStatus.NOT_FOUND, "frame.not_there")
    values: dict[str, Any] = {
        "rows": None,
        "rule": rule,
        "redriven": redriven,
        "dry_run": None,
        "may": may_operate(frame),
        "redrives": isinstance(rejects, Redrivable),
        "failed": "",
    }
    if rejects is not None:
        try:
            values["rows"] = [_row(frame, group) for group in rejects.groups()]
            if rule and isinstance(rejects, Redrivable) and values["may"]:
                values |= _counted(frame, rule, rejects.redrive(rule, dry_run=True))
        except BrokerError as error:
            values["failed"] = str(error)
    status = HTTPStatus.BAD_GATEWAY if values["failed"] else HTTPStatus.OK
    return frame.page("rejected.html.j2", "operations", values, status)


def _counted(frame: Frame, rule: str, dry_run: Redrive) -> dict[str, Any]:
    n = dry_run.redriven.total()
    seal = frame.sessions.seal(frame.session, _COUNTED, f"{n} of {rule}")
    return {"dry_run": dry_run, "n": n, "seal": seal}


def _row(frame: Frame, group: RejectGroup) -> RejectRow:
    may_read = Scope.CASES_READ in frame.who.scopes
    words = ["tocsin", "rejected", "redrive", "--rule", group.rule, "--dry-run"]
    return RejectRow(
        group=group,
        line=first_line(group.first) if may_read else None,
        place=f"{group.first.source}@{group.first.position}",
        command=shlex.join(words),
    )


@router.post("/operations/rejected")
def redrive_rejects(
    frame: CheckedFrame,
    rule: Annotated[str, Form(max_length=2000)],
    n: Annotated[int, Form()],
    seal: Annotated[str, Form(max_length=300)],
    typed: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Redrive the rejects of a rule, if the reader typed the number of the dry run."""
    rejects = frame.desk.rejects
    if not may_operate(frame):
        raise FormRefused(frame, "frame.refused_scope", detail=Scope.OPERATIONS_WRITE)
    if not isinstance(rejects, Redrivable):
        raise FormRefused(frame, "operations.refused_files", HTTPStatus.CONFLICT)
    if not frame.sessions.sealed(frame.session, _COUNTED, f"{n} of {rule}", seal):
        raise FormRefused(frame, "operations.refused_uncounted")
    if typed.strip().replace(",", "") != str(n):
        raise FormRefused(frame, "operations.refused_typed", HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        if rejects.redrive(rule, dry_run=True).redriven.total() != n:
            raise FormRefused(frame, "operations.refused_changed", HTTPStatus.CONFLICT)
        done = rejects.redrive(rule, dry_run=False).redriven.total()
    except BrokerError as error:
        raise FormRefused(frame, "frame.no_broker", HTTPStatus.BAD_GATEWAY, str(error)) from error
    frame.note(VisitKind.CHANGED, f"redrove {done} rejects of {rule!r}")
    return frame.see_other(f"{_HERE}?redriven={done}")
