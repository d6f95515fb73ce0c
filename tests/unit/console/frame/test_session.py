"""Cookies of sessions: only ours are read, and forms need the token of their session."""

from base64 import urlsafe_b64encode

import pytest

from streams.console.frame.session import Session, Sessions
from streams.core.wording.catalogue import Language

OURS = Sessions(b"a secret of the process")


def test_a_cookie_keeps_the_session() -> None:
    session = Session("id", 'A "reader", 評価者', Language.JAPANESE)
    assert OURS.read(OURS.cookie(session)) == session


@pytest.mark.parametrize(
    "cookie",
    [
        None,
        "",
        "x",
        ".",
        "!!!.00",
        urlsafe_b64encode(b'["id", "Mallory", "en"]').decode(),
        urlsafe_b64encode(b'["id", "Mallory", "en"]').decode() + ".",
        urlsafe_b64encode(b'["id", "Mallory", "en"]').decode() + "." + "0" * 64,
        Sessions(b"another process").cookie(Session("id", "Mallory")),
    ],
)
def test_a_cookie_that_is_not_ours_is_none(cookie: str | None) -> None:
    assert OURS.read(cookie) is None


def test_a_changed_cookie_is_none() -> None:
    content, mac = OURS.cookie(Session("id", "A")).split(".")
    other, _ = OURS.cookie(Session("id", "B")).split(".")
    assert OURS.read(f"{content}.{mac}") is not None
    assert OURS.read(f"{other}.{mac}") is None


def test_a_form_needs_the_token_of_its_session() -> None:
    mine, other = OURS.new(), OURS.new()
    assert OURS.accepts(mine, OURS.form_token(mine))
    assert not OURS.accepts(mine, OURS.form_token(other))
    assert not OURS.accepts(mine, "")
    assert not OURS.accepts(mine, "é")
    # The cookie's signature is no token of a form: a page cannot read the cookie, but a proxy may.
    assert not OURS.accepts(mine, OURS.cookie(mine).split(".")[1])


def test_a_seal_is_of_one_content_session_and_purpose() -> None:
    mine, other = OURS.new(), OURS.new()
    seal = OURS.seal(mine, "preview", "content")
    assert OURS.sealed(mine, "preview", "content", seal)
    for session, purpose, content in (
        (other, "preview", "content"),
        (mine, "redrive", "content"),
        (mine, "preview", "another"),
    ):
        assert not OURS.sealed(session, purpose, content, seal)
    assert not OURS.sealed(mine, "preview", "content", OURS.form_token(mine))
    assert not OURS.sealed(mine, "preview", "content", "é")
