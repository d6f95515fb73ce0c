"""HTTP requests to a server on loopback: status, content type and body of the response."""

import json
from http.client import HTTPConnection
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen


def get(connection: HTTPConnection, path: str, method: str = "GET") -> tuple[int, str, str]:
    """Return status, content type and body; the connection can be used again."""
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.headers["Content-Type"], body


def get_json(connection: HTTPConnection, path: str) -> tuple[int, Any]:
    """Return status and body of an answer that must be JSON."""
    status, kind, body = get(connection, path)
    assert kind == "application/json"
    return status, json.loads(body)


def answer_of(port: int, path: str) -> tuple[int, str]:
    """Return status and body of a page on loopback; status 0 if nobody answers yet."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()
    except (URLError, ConnectionError):
        return 0, ""
