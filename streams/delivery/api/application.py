"""FastAPI application: routes, middleware and error handlers."""

from collections import Counter
from http import HTTPStatus
from importlib.metadata import version
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Response
from pydantic import BaseModel, Field

from streams.delivery.api import assessment_routes, signal_routes, subscription_routes
from streams.delivery.api.declared_problems import WHENEVER, problems
from streams.delivery.api.guard import Guard, Limiter, the_service
from streams.delivery.api.openapi_document import openapi_document
from streams.delivery.api.problems import add_handlers
from streams.delivery.api.service import Service

__all__ = ["FeedState", "make_application"]

_TITLE = "Tocsin"
_SUMMARY = "Alerts from adverse-event reports, as copies for each tier, revised as counts change."


class FeedState(BaseModel):
    """Whether alerts are read, without their content."""

    status: Literal["up", "behind"] = Field(
        description="`behind`: alerts cannot be read, or were not read to their end yet."
    )


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
        generate_unique_id_function=lambda route: route.name,
    )
    for routes in (signal_routes, subscription_routes, assessment_routes):
        app.include_router(routes.router, prefix="/v1")
    app.add_api_route(
        "/v1/health",
        check_health,
        tags=["health"],
        response_model=FeedState,
        responses={**problems(WHENEVER), 503: {"model": FeedState, "description": "Behind."}},
    )
    add_handlers(app)
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]
    if service is not None:
        app.state.service = service
        app.state.streams = Counter()
        by_token, by_address = Limiter(service.token_rate), Limiter(service.address_rate)
        app.add_middleware(Guard, service=service, by_token=by_token, by_address=by_address)
    return app


def check_health(
    service: Annotated[Service, Depends(the_service)], response: Response
) -> FeedState:
    """Report whether alerts are being read, without their content."""
    if service.health.problem is None:
        return FeedState(status="up")
    response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return FeedState(status="behind")
