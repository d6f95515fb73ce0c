"""Local accounts: passwords, one-time codes that are used once, and the lock after failures."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from argon2 import PasswordHasher

from schemas.errors import InputError
from schemas.subscription import Tier
from streams.console.access.accounts import AccountStore, SignInRefused
from streams.delivery.api.tokens import Scope

NOW = datetime(2026, 6, 1, 12, 0, 15, tzinfo=UTC)
PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
READ = frozenset({Scope.ALERTS_READ})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AccountStore]:
    with AccountStore(tmp_path / "accounts.db", key=b"k" * 16, hasher=CHEAP) as found:
        yield found


def _codes(store: AccountStore, name: str = "M. Okafor") -> pyotp.TOTP:
    enrolled = store.add(name, PASSWORD, Tier.AUTHORITY, READ, NOW)
    found = pyotp.parse_uri(enrolled.uri)
    assert isinstance(found, pyotp.TOTP)
    return found


def test_password_and_code_sign_in(store: AccountStore) -> None:
    account = store.sign_in("M. Okafor", PASSWORD, _codes(store).at(NOW), NOW)
    assert (account.name, account.tier, account.scopes) == ("M. Okafor", Tier.AUTHORITY, READ)


def test_a_code_is_accepted_once_and_none_before_it(store: AccountStore) -> None:
    codes = _codes(store)
    store.sign_in("M. Okafor", PASSWORD, codes.at(NOW), NOW)
    for used in (codes.at(NOW), codes.at(NOW - timedelta(seconds=30))):
        with pytest.raises(SignInRefused, match="unused"):
            store.sign("M. Okafor", used, NOW)
    later = NOW + timedelta(seconds=30)
    store.sign("M. Okafor", f" {codes.at(later)[:3]} {codes.at(later)[3:]} ", later)


@pytest.mark.parametrize("seconds", [-61, 61])
def test_a_code_of_another_time_is_refused(store: AccountStore, seconds: int) -> None:
    code = _codes(store).at(NOW + timedelta(seconds=seconds))
    with pytest.raises(SignInRefused):
        store.sign_in("M. Okafor", PASSWORD, code, NOW)


def test_all_refusals_of_strangers_read_alike_but_for_the_name(store: AccountStore) -> None:
    codes = _codes(store)
    for name, password in (("M. Okafor", "wrong"), ("Nobody", PASSWORD)):
        with pytest.raises(SignInRefused) as refused:
            store.sign_in(name, password, codes.at(NOW), NOW)
        assert str(refused.value).replace(name, "NAME") == (
            "sign-in of 'NAME': name and password must match an account in use"
        )


def test_five_failures_lock_for_fifteen_minutes(store: AccountStore) -> None:
    codes = _codes(store)
    for _ in range(5):
        with pytest.raises(SignInRefused, match="must match"):
            store.sign_in("M. Okafor", "wrong", "000000", NOW)
    with pytest.raises(SignInRefused, match="locked"):
        store.sign_in("M. Okafor", PASSWORD, codes.at(NOW), NOW)
    later = NOW + timedelta(minutes=15, seconds=1)
    store.sign_in("M. Okafor", PASSWORD, codes.at(later), later)


def test_wrong_codes_lock_as_well(store: AccountStore) -> None:
    codes = _codes(store)
    for _ in range(5):
        with pytest.raises(SignInRefused, match="one-time code"):
            store.sign_in("M. Okafor", PASSWORD, "000000", NOW)
    with pytest.raises(SignInRefused):
        store.sign("M. Okafor", codes.at(NOW), NOW)


def test_four_failures_are_forgotten_by_a_sign_in(store: AccountStore) -> None:
    codes = _codes(store)
    for at in (NOW, NOW + timedelta(minutes=1)):
        for _ in range(4):
            with pytest.raises(SignInRefused):
                store.sign_in("M. Okafor", "wrong", "000000", at)
        store.sign_in("M. Okafor", PASSWORD, codes.at(at), at)


def test_a_disabled_account_is_nobody(store: AccountStore) -> None:
    codes = _codes(store)
    store.disable("M. Okafor", NOW)
    assert store.find("M. Okafor") is None
    with pytest.raises(SignInRefused):
        store.sign_in("M. Okafor", PASSWORD, codes.at(NOW), NOW)
    assert [account.disabled_at for account in store.accounts()] == [NOW]
    with pytest.raises(InputError, match="must exist"):
        store.disable("Nobody", NOW)


def test_codes_need_the_installations_secret(store: AccountStore, tmp_path: Path) -> None:
    codes = _codes(store)
    with (
        AccountStore(tmp_path / "accounts.db", key=b"other" * 4, hasher=CHEAP) as other,
        pytest.raises(SignInRefused, match="one-time code"),
    ):
        other.sign_in("M. Okafor", PASSWORD, codes.at(NOW), NOW)


@pytest.mark.parametrize(
    ("name", "password", "tier", "scopes", "message"),
    [
        ("", PASSWORD, Tier.AUTHORITY, READ, "name"),
        (" A", PASSWORD, Tier.AUTHORITY, READ, "name"),
        ("A\x1b", PASSWORD, Tier.AUTHORITY, READ, "printable"),
        ("A", "short", Tier.AUTHORITY, READ, "12 to 200"),
        ("A", PASSWORD, Tier.AUTHORITY, frozenset[Scope](), "scope"),
        ("A", PASSWORD, Tier.PUBLIC, frozenset({Scope.DECISIONS_WRITE}), "authority tier"),
    ],
)
def test_what_an_account_must_be(
    store: AccountStore,
    name: str,
    password: str,
    tier: Tier,
    scopes: frozenset[Scope],
    message: str,
) -> None:
    with pytest.raises(InputError, match=message):
        store.add(name, password, tier, scopes, NOW)


def test_a_name_is_given_once(store: AccountStore) -> None:
    _codes(store)
    with pytest.raises(InputError, match="must be new"):
        store.add("M. Okafor", PASSWORD, Tier.PUBLIC, READ, NOW)
