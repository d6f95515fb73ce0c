"""Sessions: bound to browser and network, and over after a time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.subscription import Tier
from streams.console.access.accounts import SignInRefused
from streams.console.access.signed_in import Client, SessionStore, SignedIn
from streams.delivery.api.tokens import Scope

NOW = datetime(2026, 6, 1, tzinfo=UTC)
WHO = SignedIn("M. Okafor", Tier.AUTHORITY, frozenset({Scope.ALERTS_READ}), account=True)
MINE = Client("192.0.2.7", "Browser 1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with SessionStore(tmp_path / "sessions.db") as found:
        yield found


def test_a_session_is_of_who_began_it(store: SessionStore) -> None:
    secret = store.begin(WHO, MINE, NOW)
    assert store.find(secret, MINE, NOW) == WHO
    assert store.find(secret, Client("192.0.2.200", "Browser 1"), NOW) == WHO
    assert store.find("unknown", MINE, NOW) is None


@pytest.mark.parametrize(
    "elsewhere",
    [Client("192.0.2.7", "Browser 2"), Client("198.51.100.7", "Browser 1"), Client("", "")],
)
def test_a_stolen_session_is_ended(store: SessionStore, elsewhere: Client) -> None:
    secret = store.begin(WHO, MINE, NOW)
    with pytest.raises(SignInRefused, match="must stay in its browser"):
        store.find(secret, elsewhere, NOW)
    assert store.find(secret, MINE, NOW) is None


def test_a_session_ends_after_idleness_and_after_ten_hours(store: SessionStore) -> None:
    idle = store.begin(WHO, MINE, NOW)
    assert store.find(idle, MINE, NOW + timedelta(minutes=31)) is None
    kept = store.begin(WHO, MINE, NOW)
    for minutes in range(20, 600, 20):
        assert store.find(kept, MINE, NOW + timedelta(minutes=minutes)) == WHO
    assert store.find(kept, MINE, NOW + timedelta(minutes=601)) is None


def test_the_file_holds_no_secret_of_a_session(store: SessionStore, tmp_path: Path) -> None:
    secret = store.begin(WHO, MINE, NOW)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret.encode() not in stored
    assert b"M. Okafor" in stored


def test_a_pending_sign_in_is_taken_once(store: SessionStore) -> None:
    pending = store.begin_pending(MINE, "/desk/x", NOW)
    assert store.take_pending(pending.state, MINE, NOW) == (pending, "/desk/x")
    with pytest.raises(SignInRefused, match="used once"):
        store.take_pending(pending.state, MINE, NOW)


def test_a_pending_sign_in_is_of_its_browser_and_of_ten_minutes(store: SessionStore) -> None:
    pending = store.begin_pending(MINE, "/desk", NOW)
    with pytest.raises(SignInRefused, match="browser that began"):
        store.take_pending(pending.state, Client("192.0.2.7", "Browser 2"), NOW)
    late = store.begin_pending(MINE, "/desk", NOW)
    with pytest.raises(SignInRefused, match="ten minutes"):
        store.take_pending(late.state, MINE, NOW + timedelta(seconds=601))


def test_strangers_cannot_fill_the_file(store: SessionStore) -> None:
    for _ in range(1_000):
        store.begin_pending(MINE, "/desk", NOW)
    with pytest.raises(SignInRefused, match="pending"):
        store.begin_pending(MINE, "/desk", NOW)
    store.begin_pending(MINE, "/desk", NOW + timedelta(minutes=11))
