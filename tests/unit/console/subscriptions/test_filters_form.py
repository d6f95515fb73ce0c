"""Filters of an address: read as the command line reads its options."""

import json

from starlette.datastructures import QueryParams

from schemas.alert_reason import SignalGrade
from schemas.subscription import Filters, Tier
from streams.console.subscriptions.filters_form import canonical, filters_from


def _of(query: str, tier: Tier = Tier.AUTHORITY) -> Filters | None:
    return filters_from(QueryParams(query), tier).filters


def test_without_any_they_are_the_usual_ones() -> None:
    assert _of("") == Filters()
    assert _of("preview=1&products=%0D%0A+%0D%0A") == Filters()
    assert _of("", Tier.PUBLIC) == Filters()


def test_names_are_a_line_each_and_ticks_a_value_each() -> None:
    found = _of("products=RV%0AMMR, live%0D%0A&kinds=new&kinds=closed&grades=screening")
    assert found == Filters(
        products=("RV", "MMR, live"), kinds=("new", "closed"), grades=(SignalGrade.SCREENING,)
    )


def test_what_is_refused_is_shown_as_typed_with_its_field() -> None:
    form = filters_from(QueryParams("jurisdictions=Japan&products=RV"), Tier.AUTHORITY)
    assert (form.filters, form.field) == (None, "jurisdictions")
    assert form.lines["jurisdictions"] == "Japan"
    assert form.error == "jurisdictions: must be countries as two letters, such as JP"
    assert _of("jurisdictions=jp%0AUS") == Filters(jurisdictions=("JP", "US"))
    public = filters_from(QueryParams("rules=ema"), Tier.PUBLIC)
    assert (public.filters, public.field) == (None, "rules")
    assert public.error is not None
    assert "small counts" in public.error


def test_the_canonical_text_is_one_of_the_same_filters() -> None:
    filters = Filters(products=("é",), urgent_only=True)
    assert canonical(filters) == canonical(Filters.model_validate_json(canonical(filters)))
    assert json.loads(canonical(filters))["products"] == ["é"]
    assert canonical(filters) != canonical(Filters(products=("e",), urgent_only=True))
