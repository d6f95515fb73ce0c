"""FastAPI application: routes, middleware, error handlers and the OpenAPI document."""

from collections import Counter
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from pydantic.json_schema import models_json_schema

from streams.delivery.api import assessment_routes, signal_routes, subscription_routes
from streams.delivery.api.bodies import BODIES
from streams.delivery.api.guard import Guard, Limiter, the_service
from streams.delivery.api.problems import add_handlers
from streams.delivery.api.service import Service

__all__ = ["make_application", "openapi"]

_TITLE = "Tocsin"
_SUMMARY = "Alerts from adverse-event reports, as copies for each tier, revised as counts change."


def make_application(service: Service | None = None) -> FastAPI:
    """Return the application; without a service it only serves its OpenAPI document."""
    app = FastAPI(
        title=_TITLE,
        summary=_SUMMARY,
        version=version("tocsin"),
        openapi_url="/v1/openapi.json",
        # The documentation pages of FastAPI would load scripts from other hosts.
        docs_url=None,
        redoc_url=None,
    )
    for routes in (signal_routes, subscription_routes, assessment_routes):
        app.include_router(routes.router, prefix="/v1")
    app.add_api_route("/v1/health", _health, tags=["health"], response_model=dict[str, str])
    add_handlers(app)
    app.openapi = lambda: openapi(app)  # type: ignore[method-assign]
    if service is not None:
        app.state.service = service
        app.state.token_limiter = Limiter(service.token_rate)
        app.state.streams = Counter()
        app.add_middleware(Guard, service=service)
    return app


def openapi(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, with the models of request bodies added."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, summary=app.summary, routes=app.routes
        )
        _, models = models_json_schema(
            [(model, "validation") for model in BODIES],
            ref_template="#/components/schemas/{model}",
        )
        document["components"]["schemas"] |= models["$defs"]
        app.openapi_schema = document
    return app.openapi_schema


def _health(service: Annotated[Service, Depends(the_service)]) -> JSONResponse:
    """Report whether alerts are being read, without their content."""
    up = service.health.problem is None
    return JSONResponse({"status": "up" if up else "behind"}, status_code=200 if up else 503)
