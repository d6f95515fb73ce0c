"""Routes of a new subscription: filters, what they would have brought, and saving after that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form
from fastapi.responses import Response
from pydantic import ValidationError

from schemas.errors import InputError
from schemas.priority import PriorityLevel
from schemas.subscription import DigestPeriod, Filters, Stream, Tier
from streams.console.access.visits import VisitKind
from streams.console.frame.forms import CheckedFrame, FormRefused
from streams.console.frame.rendering import Frame, TheFrame
from streams.console.subscriptions.command_lines import of_subscribing
from streams.console.subscriptions.delivery_rows import outbox_path_for
from streams.console.subscriptions.filters_form import (
    CHOICES,
    LISTS,
    WITHHELD,
    canonical,
    filters_from,
)
from streams.console.subscriptions.owner import may_subscribe, own_of
from streams.console.subscriptions.subscriptions_routes import refused_by, saved, with_key
from streams.delivery.api.bodies import AskedSubscription, AskedWebhook
from streams.delivery.api.problems import Problem
from streams.delivery.api.subscriptions.own_subscriptions import OwnSubscriptions
from streams.delivery.api.subscriptions.previews import PreviewedAlerts, preview_of
from streams.delivery.matching import PREVIEW_DAYS
from streams.delivery.tiers import Copy

__all__ = ["router"]

router = APIRouter()
_EXAMPLES = 10
_PREVIEWED = "preview"  # what a seal is for
_UNNAMED = "preview"  # name of the subscription that a preview is of
_DAYS_A_WEEK = 7
_STEPS = 4  # shades of the calendar


@router.get("/subscriptions/new")
def new_subscription_page(frame: TheFrame) -> Response:
    """Return the form, and beside it the preview of the filters in the address."""
    if not may_subscribe(frame) or not frame.who.reader:
        return frame.see_other("/desk/subscriptions")
    query = frame.request.query_params
    form = filters_from(query, frame.tier)
    shown: dict[str, Any] = {}
    error = form.error
    if "preview" in query and form.filters is not None:
        try:
            shown = _preview_values(frame, own_of(frame), form.filters)
        except (Problem, InputError) as refused:
            error = str(refused)
    values = {
        "form": form,
        "error": error,
        "preview": None,
        "choices": _askable(CHOICES, frame.tier),
        "lists": [name for name in LISTS if _may_ask(name, frame.tier)],
        "levels": [] if frame.tier is Tier.PUBLIC else [level.value for level in PriorityLevel],
        **shown,
    }
    status = 200 if error is None else 422
    return frame.page("new_subscription.html.j2", "subscriptions", values, status)


@router.post("/subscriptions/new")
def save_subscription(
    frame: CheckedFrame,
    filters: Annotated[str, Form(max_length=40_000)],
    seal: Annotated[str, Form(max_length=300)],
    name: Annotated[str, Form(max_length=64)] = "",
    channel: Annotated[Literal["stream", "webhook"], Form()] = "stream",
    url: Annotated[str, Form(max_length=2000)] = "",
    digest: Annotated[str, Form(max_length=20)] = "",
    begin: Annotated[Literal["now", "preview"], Form()] = "now",
    before_first: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Save a subscription with the very filters whose preview was drawn."""
    own = own_of(frame)
    if not frame.sessions.sealed(frame.session, _PREVIEWED, filters, seal):
        raise FormRefused(frame, "subscriptions.refused_unseen")
    try:
        asked = AskedSubscription(
            subscription_id=name,
            tier=frame.tier,
            filters=Filters.model_validate_json(filters),
            channel=AskedWebhook(url=url) if channel == "webhook" else Stream(),
            digest=DigestPeriod(digest) if digest else None,
            after=before_first if begin == "preview" else None,
        )
        created = own.create(asked)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise refused_by(frame, InputError(f"{place}: {first['msg']}")) from error
    except (Problem, InputError) as refused:
        raise refused_by(frame, refused) from refused
    except ValueError as error:  # of the period of a digest
        raise refused_by(frame, InputError(str(error))) from error
    frame.note(VisitKind.CHANGED, f"saved subscription {name!r} of {own.owner.subscriber!r}")
    return with_key(frame, frame.see_other(saved("saved", name)), created.signing_key)


def _preview_values(frame: Frame, own: OwnSubscriptions, filters: Filters) -> dict[str, Any]:
    own.owner.require_reader()
    asked = AskedSubscription(subscription_id=_UNNAMED, tier=frame.tier, filters=filters)
    found = preview_of(frame.desk.service, own.wanted(asked))
    sealed = canonical(filters)
    urgent = [copy for copy in found.copies if copy["urgent"]]
    others = [copy for copy in found.copies if not copy["urgent"]]
    return {
        "preview": found,
        "days": PREVIEW_DAYS,
        "n_signals": len({copy["signal_key"] for copy in found.copies}),
        "kinds": sorted(found.by_category_and_kind.items()),
        "n_urgent": len(urgent),
        "urgent": _latest(urgent),
        "examples": _latest(others),
        "calendar": calendar_of(found),
        "months": _months(found.copies),
        "sealed": sealed,
        "seal": frame.sessions.seal(frame.session, _PREVIEWED, sealed),
        "may_webhook": frame.desk.keeps_key,
        "command": of_subscribing(
            "NAME",
            own.owner.subscriber,
            frame.tier.value,
            filters,
            "--stream",
            outbox_path_for(frame),
        ),
    }


def _latest(copies: Sequence[Copy]) -> list[Copy]:
    return list(reversed(copies[-_EXAMPLES:]))


def _months(copies: Sequence[Copy]) -> dict[str, int]:
    """Return the number of alerts by month, of copies that state no day."""
    found: dict[str, int] = {}
    for copy in copies:
        if "evaluated_on" not in copy:
            found[copy["evaluated_in"]] = found.get(copy["evaluated_in"], 0) + 1
    return found


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """A day of the calendar.

    Attributes
    ----------
    n
        Alerts of the day; None outside the days of the preview.
    step
        Shade, from 0 (no alert) to 4 (more than three quarters of the most).
    """

    day: date
    n: int | None
    step: int


def calendar_of(found: PreviewedAlerts) -> list[list[CalendarDay]]:
    """Return the days of a preview by week, from Monday; none where the tier withholds days."""
    by_day = found.by_day
    if found.until is None or found.since is None or not by_day:
        return []
    first = found.since + timedelta(days=1)
    monday = first - timedelta(days=first.weekday())
    most = max(by_day.values())
    weeks = []
    while monday <= found.until:
        week = []
        for offset in range(_DAYS_A_WEEK):
            day = monday + timedelta(days=offset)
            n = by_day[day] if first <= day <= found.until else None
            week.append(CalendarDay(day, n, -(-_STEPS * (n or 0) // most)))
        weeks.append(week)
        monday += timedelta(days=_DAYS_A_WEEK)
    return weeks


def _may_ask(name: str, tier: Tier) -> bool:
    return tier is not Tier.PUBLIC or name not in WITHHELD


def _askable(choices: Any, tier: Tier) -> dict[str, tuple[str, ...]]:
    return {name: values for name, values in choices.items() if _may_ask(name, tier)}
