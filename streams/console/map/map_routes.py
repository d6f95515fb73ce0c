"""Routes of the map and of the explorers of a product or event."""

from datetime import date, timedelta
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import HTMLResponse

from schemas.alert import SignalGrade, SignalLevel
from schemas.priority import PriorityLevel
from schemas.subscription import Tier
from streams.console.frame.rendering import Frame, TheFrame
from streams.console.map.explorer import Axis, explored, found_names, is_now
from streams.console.map.live_map import LiveMaps, MapSignal, latest_on
from streams.console.map.map_facts import agreement, calendar, changed_marks, heat, marks
from streams.console.map.map_view import AskedMap, MapView
from streams.core.wording.catalogue import Language, capitalised, catalogue
from streams.core.wording.names import event_name, plain_product_name, rule_name
from streams.figures.calendar_days import calendar_days
from streams.figures.heat_map import heat_step
from streams.figures.marks.interval_cell import interval_axis
from streams.figures.volcano import volcano

__all__ = ["router"]

router = APIRouter(prefix="/map")

_WIDTH, _CALENDAR_WIDTH = 900, 600  # of the figures at 1,440 px, inside of their cards [px]


@router.get("")
def map_page(frame: TheFrame, view: AskedMap) -> HTMLResponse:
    """Return the map of the whole."""
    revisions = _revisions(frame)
    day = _day(frame, view)
    new_after = view.new_after(day)
    known = [one for one in latest_on(revisions, day) if _passes(view, one)]
    on = [one for one in known if one.is_on]
    facts = marks(on, new_after, ratios=view.ratios(), powers=view.powers())
    of_view = [one for one in revisions if _passes(view, one)]
    days = calendar(of_view, day, new_after)
    language = frame.language.value
    words = catalogue(frame.language)
    values = {
        "on": on,
        "n_changed": sum(one.day > new_after for one in on),
        "n_high": sum(one.priority == PriorityLevel.HIGH for one in on),
        "n_fatal": sum(bool(one.n_fatal) for one in on),
        "volcano": volcano(facts, width=_WIDTH, language=language),
        "changed": changed_marks(on, new_after),
        "heat": heat(on),
        "calendar": calendar_days(days, width=_CALENDAR_WIDTH, language=language),
        "days": days.counts,
        "busiest": max(days.counts, key=lambda one: (one.n, one.day), default=None),
        "agreement": agreement(on),
        "found": found_names(known, view.q) if view.q else None,
        "new_after": new_after,
        "heat_step": heat_step,
        "rule": lambda name: rule_name(name, "", words),
        **_shared(frame, view, day),
    }
    return frame.page("map/map.html.j2", "map", values)


@router.get("/{axis}/{name:path}")
def explorer_page(
    frame: TheFrame,
    axis: Axis,
    name: str,
    as_of: Annotated[date | None, Query(description="Last day that is known.")] = None,
) -> HTMLResponse:
    """Return the pairs of a product or event, also those that are no signal."""
    view = MapView(as_of=as_of)
    day = _day(frame, view)
    known = latest_on(_revisions(frame), day)
    found = explored(
        frame.desk, frame.tier, axis, name, known, now=as_of is None or is_now(day, frame.desk)
    )
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "no such product or event")
    values = {
        "axis": axis,
        "explored": found,
        "full_name": capitalised(_name(axis, found.label, frame.language)),
        "other_name": lambda name: _name(_OTHER[axis], name, frame.language),
        "head_axis": interval_axis(language=frame.language.value),
        **_shared(frame, view, day),
    }
    return frame.page("map/explorer.html.j2", "map", values)


def _name(axis: Axis, name: str, language: Language) -> str:
    """Return the name of a product or event in words."""
    if axis is Axis.PRODUCTS:
        return plain_product_name(name, language)
    return event_name(name, language)


_OTHER = {Axis.PRODUCTS: Axis.EVENTS, Axis.EVENTS: Axis.PRODUCTS}


def _revisions(frame: Frame) -> list[MapSignal]:
    """Return the revisions that the tier of a reader knows; the public has no map."""
    if frame.tier is Tier.PUBLIC:
        raise HTTPException(HTTPStatus.NOT_FOUND, "no such page")
    maps: LiveMaps = frame.request.app.state.maps
    return list(maps.of(frame.tier).revisions())


def _day(frame: Frame, view: MapView) -> date:
    closed = frame.desk.intake.closed or frame.desk.service.now().date()
    return view.as_of or closed


def _passes(view: MapView, one: MapSignal) -> bool:
    return view.level in (None, one.level) and view.grade in (None, one.grade)


def _shared(frame: Frame, view: MapView, day: date) -> dict[str, Any]:
    def worklist(**parameters: object) -> str:
        return f"/desk?{urlencode({name: str(value) for name, value in parameters.items()})}"

    return {
        "view": view,
        "day_of_page": day,
        "grades": tuple(SignalGrade),
        "levels": tuple(SignalLevel),
        "worklist": worklist,
        "worklist_of_day": lambda one: worklist(since=one - timedelta(days=1), sort="day"),
        "quoted": lambda text: quote(text, safe=""),
    }
