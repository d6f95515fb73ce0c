"""Accounts of the desk from the command line."""

import os
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pyotp
import pytest

from streams.console.access.accounts import AccountStore
from streams.delivery.api.tokens import TokenStore
from tests.support.cli import COMMAND, Run

KEY = "an installation's secret"
ADD = "accounts add 'M. Okafor' --tier authority --scope alerts:read --scope decisions:write"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIER_KEY", KEY)


def _add(tmp_path: Path, password: str) -> tuple[int, str, str]:
    ended = subprocess.run(
        [*COMMAND, *shlex.split(ADD)],
        input=f"{password}\n",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TIER_KEY": KEY},
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_an_account_signs_in_with_the_printed_codes(tmp_path: Path, run: Run) -> None:
    code, out, _ = _add(tmp_path, "correct horse battery")
    assert code == 0
    codes = pyotp.parse_uri(out.strip())
    assert isinstance(codes, pyotp.TOTP)
    now = datetime.now(UTC)
    with AccountStore(tmp_path / "tocsin-desk" / "accounts.db", key=KEY.encode()) as accounts:
        account = accounts.sign_in("M. Okafor", "correct horse battery", codes.at(now), now)
    assert sorted(account.scopes) == ["alerts:read", "decisions:write"]
    listed = run("accounts list").rows()
    assert listed[1][:3] == ["M. Okafor", "authority", "alerts:read decisions:write"]
    with TokenStore(tmp_path / "outbox.db") as tokens:
        tokens.of_reader("M. Okafor", account.tier, account.scopes, now)
    assert run("accounts disable 'M. Okafor'").out == "M. Okafor is disabled.\n"
    with TokenStore(tmp_path / "outbox.db") as tokens:
        assert tokens.of_reader("M. Okafor", account.tier, account.scopes, now) is None
    assert run("accounts list").rows()[1][4] == f"{now:%Y-%m-%d}"


def test_a_short_password_is_refused(tmp_path: Path) -> None:
    code, out, err = _add(tmp_path, "short")
    assert (code, out) == (2, "")
    assert "12 to 200 characters" in err
