"""Routes for signals, alerts and cases; each response is the copy for the token's tier."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from schemas.alert import Alert, SignalGrade
from schemas.case_line import CaseLine
from schemas.decision import Assessment, AuditEntry
from schemas.errors import InputError
from schemas.priority import PriorityLevel
from schemas.subscription import Filters, Tier
from streams.core.alerts.assessment import assessed, assessments_after
from streams.core.alerts.undecided import RevisionDay, SignalStatus
from streams.delivery.api.declared_problems import WITH_TOKEN, problems
from streams.delivery.api.guard import needs, the_service
from streams.delivery.api.problems import Problem
from streams.delivery.api.read_model import ReadModel, SignalSort
from streams.delivery.api.response_schemas import AlertCopy, LoggedDecision
from streams.delivery.api.service import Service
from streams.delivery.api.tokens import Scope, Token
from streams.delivery.matching import is_on, passes, require_askable
from streams.delivery.tiers import Copy, band

__all__ = ["require_signal", "router"]

router = APIRouter(tags=["signals"])

_OF_ONE = problems({*WITH_TOKEN, HTTPStatus.NOT_FOUND})

TheService = Annotated[Service, Depends(the_service)]
Reader = Annotated[Token, Depends(needs(Scope.ALERTS_READ))]
Many = Annotated[list[str] | None, Query(max_length=50)]


class SignalPage(BaseModel):
    """A page of signals, in the order that was asked for."""

    signals: list[AlertCopy] = Field(
        description="The latest revision of each: the copy for the tier of the token."
    )
    next: str | None = Field(
        description="Value of `after` for the next page; null on the last page."
    )


class SignalAnswer(BaseModel):
    """A signal with its assessment."""

    signal: AlertCopy = Field(
        description="Its latest revision: the copy for the tier of the token."
    )
    signal_status: SignalStatus = Field(
        description="Whether it is on: for an SDR, whether a rule is on. It is not the assessment "
        "state, which is the assessor's."
    )
    assessment: str | None = Field(
        description="Its assessment state; null below the authority tier."
    )
    assignee: str | None = Field(
        description="Its assignee; null if there is none, and below the authority tier."
    )
    decisions: list[LoggedDecision] = Field(
        description="Every decision about it, as logged, with author, time and reason; none "
        "below the authority tier."
    )


class Revisions(BaseModel):
    """The revisions of a signal."""

    alerts: list[AlertCopy] = Field(description="In order: the copies for the tier of the token.")


class CaseList(BaseModel):
    """The cases of a signal's latest revision."""

    n_cases: str = Field(description="Number of cases; a band below the authority tier.")
    cases: list[CaseLine] = Field(description="De-identified; none below the authority tier.")
    unknown: list[str] = Field(description="Cases whose reports this server has not read.")


@router.get(
    "/signals",
    response_model=SignalPage,
    responses=problems({*WITH_TOKEN, HTTPStatus.UNPROCESSABLE_ENTITY}),
)
def list_signals(
    service: TheService,
    token: Reader,
    sort: Annotated[
        SignalSort,
        Query(
            description="`key`; `priority`, the highest first; `due`, the earliest first; "
            "`changed`, the latest revision first. The public may not ask for priority or due."
        ),
    ] = SignalSort.KEY,
    after: Annotated[
        str,
        Query(max_length=2000, description="`next` of the page before, with the same `sort`."),
    ] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    active: Annotated[
        bool | None, Query(description="Only signals that are on, or only off.")
    ] = None,
    category: Many = None,
    kind: Many = None,
    jurisdiction: Many = None,
    product_class: Annotated[list[str] | None, Query(alias="class", max_length=50)] = None,
    product: Many = None,
    term: Many = None,
    family: Many = None,
    level: Many = None,
    grade: Annotated[
        list[SignalGrade] | None, Query(description="Only signals of this grade.")
    ] = None,
    rule: Many = None,
    window: Many = None,
    urgent: Annotated[bool, Query(description="Only urgent signals.")] = False,
    min_priority: Annotated[
        PriorityLevel | None,
        Query(
            description="Only signals of at least this priority, and those that are urgent or have "
            "none."
        ),
    ] = None,
) -> SignalPage:
    """List signals with the filters of subscriptions, of both grades unless one is asked for.

    A page may have fewer than `limit`.
    """
    try:
        asked = Filters.asked(
            categories=category,
            kinds=kind,
            jurisdictions=jurisdiction,
            classes=product_class,
            products=product,
            terms=term,
            families=family,
            levels=level,
            grades=grade or (),
            rules=rule,
            windows=window,
            urgent_only=urgent,
            min_priority=min_priority,
        )
    except ValueError as error:
        msg = "filters: each must be a name of 1 to 500 characters, a jurisdiction two capitals"
        raise InputError(msg) from error
    require_askable(token.tier, asked, grades=())
    if token.tier is Tier.PUBLIC and sort in (SignalSort.PRIORITY, SignalSort.DUE):
        msg = f"sort: the public tier may not ask for {sort}: it reveals small counts"
        raise InputError(msg)

    def wanted(copy: Copy) -> bool:
        return active in (None, is_on(copy)) and passes(asked, copy)

    with service.model() as model:
        page = model.signals(
            token.tier,
            after=after,
            most=limit,
            wanted=wanted,
            today=service.now().date(),
            sort=sort,
        )
    signals = list(service.with_assessments(token.tier, page.copies))
    return SignalPage(signals=signals, next=page.after)


@router.get("/signals/{signal_key}", response_model=SignalAnswer, responses=_OF_ONE)
def show_signal(service: TheService, token: Reader, signal_key: str) -> SignalAnswer:
    """Show a signal and its assessment. The key must be percent-encoded in the path."""
    with service.model() as model:
        copy = require_signal(model, token.tier, signal_key)[-1]
        alerts = model.alerts_of(signal_key) if token.tier is Tier.AUTHORITY else []
    steps: list[AuditEntry] = []
    current: Assessment | None = None
    if alerts:
        steps = service.audit.steps(signal_key)
        days = [RevisionDay.of(one) for one in alerts]
        today = service.now().date()
        latest = assessed(alerts[-1], assessments_after(steps), lambda key: days, today=today)
        copy, current = latest.model_dump(mode="json"), latest.assessment
    return SignalAnswer(
        signal=copy,
        signal_status=SignalStatus.ON if is_on(copy) else SignalStatus.OFF,
        assessment=None if current is None else current.state.value,
        assignee=None if current is None else current.assignee,
        decisions=[step.model_dump(mode="json", by_alias=True) for step in steps],
    )


@router.get("/signals/{signal_key}/alerts", response_model=Revisions, responses=_OF_ONE)
def list_alerts(service: TheService, token: Reader, signal_key: str) -> Revisions:
    """List the revisions of a signal, the first one first."""
    with service.model() as model:
        found = require_signal(model, token.tier, signal_key)
    return Revisions(alerts=list(service.with_assessments(token.tier, found)))


@router.get("/alerts/{alert_id}", response_model=AlertCopy, responses=_OF_ONE)
def show_alert(service: TheService, token: Reader, alert_id: str) -> AlertCopy:
    """Show an alert revision by its id."""
    with service.model() as model:
        found = model.alert(token.tier, alert_id)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, "no such alert")
    return next(service.with_assessments(token.tier, [found]))


@router.get(
    "/signals/{signal_key}/cases", response_model=CaseList, tags=["cases"], responses=_OF_ONE
)
def list_cases(
    service: TheService,
    token: Annotated[Token, Depends(needs(Scope.CASES_READ))],
    signal_key: str,
) -> CaseList:
    """List the cases of a signal: lines for authorities, the band of their number for others."""
    with service.model() as model:
        copy = require_signal(model, token.tier, signal_key)[-1]
        if token.tier is not Tier.AUTHORITY:
            return CaseList(n_cases=_band_of(copy), cases=[], unknown=[])
        latest = model.alerts_of(signal_key)[-1]
        number = latest.counts.n_observed if isinstance(latest, Alert) else len(latest.case_ids)
        lines = model.lines(latest.case_ids)
    known = {line.case_id for line in lines}
    return CaseList(
        n_cases=str(number),
        cases=lines,
        unknown=[name for name in latest.case_ids if name not in known],
    )


def _band_of(copy: Copy) -> str:
    """Return the band of the cases of a copy: that which a public copy states."""
    if copy.get("tier") == Tier.PUBLIC:
        return str(copy["n_patients"] if "category" in copy else copy["n_observed"])
    return band(int(copy["n_cases"] if "category" in copy else copy["counts"]["n_observed"]))


def require_signal(model: ReadModel, tier: Tier, signal_key: str) -> list[Copy]:
    """Return the revisions of a signal; hidden and unknown signals get the same refusal."""
    found = model.revisions(tier, signal_key)
    if not found:
        raise Problem(HTTPStatus.NOT_FOUND, "no such signal")
    return found
