"""Every error becomes problem details, and a defect reveals nothing."""

import asyncio
import logging
from http import HTTPStatus
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, HTTPException

from schemas.errors import InputError, StateError
from streams.delivery.api.problems import Problem, add_handlers
from tests.support.api_server import is_problem

SECRET = "Mrs-Jane-Roe"


def asked(error: Exception) -> httpx2.Response:
    app = FastAPI()
    add_handlers(app)

    @app.get("/")
    def fail(n: int = 0) -> Any:
        raise error

    async def ask() -> httpx2.Response:
        whatever = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=whatever, base_url="http://test") as client:
            return await client.get("/")

    return asyncio.run(ask())


def test_a_refusal_has_its_status_detail_and_headers() -> None:
    error = Problem(HTTPStatus.TOO_MANY_REQUESTS, "come again", {"retry-after": "3"})
    answer = asked(error)
    is_problem(answer, 429, "come again")
    assert answer.json()["title"] == "Too Many Requests"
    assert answer.headers["retry-after"] == "3"


def test_the_frameworks_errors_have_the_same_form() -> None:
    is_problem(asked(HTTPException(404, "not here")), 404, "not here")


def test_an_invalid_value_is_a_client_error_and_a_broken_file_a_server_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    is_problem(asked(InputError("limit: must be at most 200")), 422, "must be at most 200")
    with caplog.at_level(logging.ERROR):
        answer = asked(StateError(f"outbox.db: {SECRET}"))
    is_problem(answer, 503, "the log of the server says why")
    assert SECRET not in answer.text
    assert SECRET in caplog.text


def test_a_defect_reveals_nothing() -> None:
    answer = asked(ZeroDivisionError(SECRET))
    is_problem(answer, 500, "a defect")
    assert SECRET not in answer.text
