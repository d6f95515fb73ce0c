"""ASGI application of the desk, beside the HTTP API."""

from http import HTTPStatus
from importlib.resources import as_file, files
from pathlib import Path
from threading import Lock
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from schemas.errors import InputError
from schemas.subscription import Tier
from streams.console.access import sign_in_routes
from streams.console.audit import audit_routes
from streams.console.desk import Desk
from streams.console.dossier import dossier_routes
from streams.console.frame import problem_pages
from streams.console.frame.forms import FormRefused, refused_form
from streams.console.frame.protection import Protection
from streams.console.frame.rendering import SignInNeeded, asked_address
from streams.console.frame.session import Sessions
from streams.console.map import map_routes
from streams.console.map.live_map import LiveMaps
from streams.console.operations import operations_routes, rejected_routes
from streams.console.operations.operations import Operations
from streams.console.safety import safety_routes
from streams.console.signal import case_routes, decision_routes, signal_routes
from streams.console.subscriptions import new_subscription_routes, subscriptions_routes
from streams.console.worklist import live_routes, reader_routes, worklist_routes
from streams.console.worklist.worklist import Worklist

__all__ = ["desk_application", "with_desk"]


def desk_application(desk: Desk) -> FastAPI:
    """Return the application of the pages under `/desk`."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.desk = desk
    app.state.sessions = Sessions(desk.service.key)
    app.state.statements = Lock()
    app.state.maps = LiveMaps(desk.service)
    if desk.tier is not Tier.PUBLIC:
        app.state.maps.of(desk.tier).revisions()  # so that the first reader does not wait for them
    app.state.worklist = Worklist(desk)
    app.state.worklist.signals(desk.tier)  # so that the first reader does not wait for it
    app.include_router(worklist_routes.router, prefix="/desk")
    for routes in (signal_routes, case_routes, decision_routes, dossier_routes):
        app.include_router(routes.router, prefix="/desk")
    app.state.operations = Operations(desk)
    app.include_router(operations_routes.router, prefix="/desk")
    app.include_router(rejected_routes.router, prefix="/desk")
    app.include_router(audit_routes.router, prefix="/desk")
    app.include_router(subscriptions_routes.router, prefix="/desk")
    app.include_router(new_subscription_routes.router, prefix="/desk")
    app.include_router(reader_routes.router, prefix="/desk")
    app.include_router(live_routes.router, prefix="/desk")
    app.include_router(map_routes.router, prefix="/desk")
    app.include_router(safety_routes.router, prefix="/desk")
    app.add_exception_handler(HTTPException, problem_pages.refused_request)
    app.add_exception_handler(InputError, problem_pages.wrong_address)
    app.add_exception_handler(Exception, problem_pages.failed)
    app.include_router(sign_in_routes.router, prefix="/desk")
    app.add_exception_handler(SignInNeeded, _to_the_sign_in)
    app.add_exception_handler(FormRefused, refused_form)
    app.add_api_route("/", _to_the_worklist, response_model=None)
    with as_file(files("streams.console").joinpath("static")) as folder:
        app.mount("/desk/static", StaticFiles(directory=Path(folder)))
    for name in ("fonts", "styles"):  # those that files of pictures have as well
        with as_file(files("streams.figures").joinpath(name)) as folder:
            app.mount(f"/desk/{name}", StaticFiles(directory=Path(folder)))
    app.add_middleware(Protection, hosts=desk.hosts)
    return app


def _to_the_worklist(request: Request) -> RedirectResponse:
    return RedirectResponse("/desk", status_code=303)


def _to_the_sign_in(request: Request, error: Exception) -> Response:
    """Send a reader of a page to the sign-in; a script's request and a form are refused."""
    if request.method != "GET" or "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse("sign in first\n", HTTPStatus.UNAUTHORIZED)
    back = urlencode({"back": asked_address(request)})
    return RedirectResponse(f"/desk/sign-in?{back}", status_code=303)


def with_desk(api: ASGIApp, desk: ASGIApp) -> ASGIApp:
    """Return an application that answers `/` and `/desk` by the desk, all else by the API."""

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        of_desk = path in {"/", "/desk"} or path.startswith("/desk/")
        await (desk if of_desk else api)(scope, receive, send)

    return either
