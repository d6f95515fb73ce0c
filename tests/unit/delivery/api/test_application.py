"""The OpenAPI document of the API is served, and every filter can be asked for."""

from inspect import signature
from pathlib import Path

from schemas.subscription import Filters
from streams.cli.delivery_commands import subscribe
from streams.delivery.api.application import make_application
from streams.delivery.api.signal_routes import list_signals
from tests.support.api_server import client_of, service_in, serving

OPTIONS = {
    "categories": "category",
    "kinds": "kind",
    "jurisdictions": "jurisdiction",
    "classes": "product_class",
    "products": "product",
    "terms": "term",
    "families": "family",
    "levels": "level",
    "grades": "grade",
    "rules": "rule",
    "windows": "window",
    "urgent_only": "urgent",
    "min_priority": "min_priority",
}
"""Option of the command line and query parameter of each filter."""


def test_every_filter_has_an_option_and_a_query_parameter() -> None:
    assert set(OPTIONS) == set(Filters.model_fields)
    assert set(OPTIONS.values()) <= set(signature(list_signals).parameters)
    options = {*OPTIONS.values(), "urgent_only"} - {"urgent"}
    assert options <= set(signature(subscribe).parameters)


def test_the_openapi_document_is_served(tmp_path: Path) -> None:
    with serving(service_in(tmp_path)) as address, client_of(address, None) as client:
        document = client.get("/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert document == make_application().openapi()
