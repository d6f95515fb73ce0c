"""`tocsin serve` and `tokens`: started as a process on loopback, and its refusals."""

import re
import signal as signals
import socket
import time
from pathlib import Path

import httpx2
import pytest

from schemas.errors import InputError
from tests.support.alerts import KEY, safety, signal, write_alerts
from tests.support.api_server import reported, signal_path
from tests.support.archives import ArchiveOf
from tests.support.cli import invoke, started
from tests.support.vaers_files import DATA, SYMPTOMS, VAX, data_row, symptoms_row, vax_row


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIER_KEY", KEY.decode())
    write_alerts(tmp_path, signal(3), safety())
    return tmp_path


def test_a_token_is_shown_once_and_can_be_revoked(folder: Path) -> None:
    token = invoke("tokens", "add", "PMDA", "--scope", "alerts:read").output.strip()
    assert re.fullmatch(r"tocsin_[0-9a-f]{16}_[0-9a-f]{64}", token)
    name, secret = token.split("_")[1:]
    listed = invoke("tokens", "list").output
    assert name in listed
    assert "alerts:read" in listed
    assert secret not in listed
    assert secret.encode() not in b"".join(file.read_bytes() for file in folder.glob("outbox*"))
    assert (folder / "outbox.db").stat().st_mode & 0o077 == 0
    assert "is revoked" in invoke("tokens", "revoke", name).output
    assert isinstance(invoke("tokens", "revoke", "nobody").exception, InputError)


def test_a_token_is_narrowed(folder: Path) -> None:
    scopes = ("--scope", "alerts:read", "--scope", "cases:read")
    token = invoke("tokens", "add", "PMDA", "--tier", "consumer", *scopes).output.split("_")[1]
    done = invoke("tokens", "narrow", token, "--tier", "public", "--scope", "alerts:read")
    assert done.output == f"{token} is of the public tier: alerts:read.\n"
    assert isinstance(invoke("tokens", "narrow", token, *scopes).exception, InputError)


@pytest.mark.parametrize("scope", ["decisions:write", "verifications:write"])
def test_only_authorities_decide(folder: Path, scope: str) -> None:
    error = invoke("tokens", "add", "X", "--tier", "consumer", "--scope", scope).exception
    assert isinstance(error, InputError)
    assert f"must be of the authority tier for {scope}" in str(error)


def test_other_machines_are_served_only_on_request_and_with_tokens(folder: Path) -> None:
    beyond = ("serve", "alerts.jsonl", "--host", "0.0.0.0", "--port", "0")
    error = invoke(*beyond).exception
    assert isinstance(error, InputError)
    assert "allow it by --beyond-this-machine" in str(error)
    error = invoke(*beyond, "--beyond-this-machine").exception
    assert isinstance(error, InputError)
    assert "there is no token" in str(error)
    name = invoke("tokens", "add", "X", "--scope", "alerts:read").output.split("_")[1]
    invoke("tokens", "revoke", name)
    assert "there is no token" in str(invoke(*beyond, "--beyond-this-machine").exception)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("nothing.jsonl",), "must be a file of alerts"),
        (("alerts.jsonl", "--reports", "none.zip"), "must be a file; got nothing there"),
        (("alerts.jsonl", "--token-rate", "often"), "rate: must be such as 120/minute"),
        (("alerts.jsonl", "--model", "alerts.jsonl"), "must be a read model of Tocsin"),
    ],
)
def test_invalid_arguments_fail_at_once(
    folder: Path, arguments: tuple[str, ...], reason: str
) -> None:
    error = invoke("serve", "--port", "0", *arguments).exception
    assert error is not None
    assert reason in str(error)
    assert type(error).__module__ == "schemas.errors"


def test_a_port_in_use_fails_at_once(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert isinstance(invoke("serve", "alerts.jsonl", "--port", port).exception, OSError)


def test_reports_of_several_sources_are_listed(folder: Path, archive_of: ArchiveOf) -> None:
    """The cases of a signal are in a VAERS archive and in a file of JSON Lines."""
    archive = archive_of(
        "1990.zip",
        {
            "1990VAERSDATA.csv": f"{DATA}\r\n{data_row('7')}",
            "1990VAERSVAX.csv": f"{VAX}\r\n{vax_row('7')}",
            "1990VAERSSYMPTOMS.csv": f"{SYMPTOMS}\r\n{symptoms_row('7')}",
        },
    )
    (folder / "reports.jsonl").write_text(reported("NE-1").model_dump_json() + "\n")
    both = signal(2, drug="DTP").model_copy(update={"case_ids": ("NE-1", "VAERS-7")})
    write_alerts(folder, both)
    scopes = ("--scope", "cases:read")
    token = invoke("tokens", "add", "PMDA", "--tier", "authority", *scopes).output.strip()
    sources = ("--reports", str(archive), "--reports", "reports.jsonl")
    with started("serve", "alerts.jsonl", *sources, "--port", "0") as served:
        assert served.stdout is not None
        address = served.stdout.readline().removesuffix("/v1/openapi.json\n")
        headers = {"authorization": f"Bearer {token}"}
        with httpx2.Client(base_url=address, headers=headers, trust_env=False) as client:
            deadline = time.monotonic() + 60
            while client.get("/v1/health").status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            listed = client.get(signal_path(both.signal_key, "/cases")).json()
        served.send_signal(signals.SIGTERM)
        served.communicate(timeout=30)
    assert [line["case_id"] for line in listed["cases"]] == ["NE-1", "VAERS-7"]
    assert listed["unknown"] == []


def test_it_serves_a_growing_file_and_stops_on_a_signal(folder: Path) -> None:
    token = invoke("tokens", "add", "PMDA", "--tier", "authority", "--scope", "alerts:read")
    with started("serve", "alerts.jsonl", "--port", "0") as served:
        assert served.stdout is not None
        line = served.stdout.readline()
        assert line.endswith("/v1/openapi.json\n"), served.communicate(timeout=30)
        with httpx2.Client(
            base_url=line.removesuffix("/v1/openapi.json\n"), trust_env=False
        ) as client:
            client.headers["authorization"] = f"Bearer {token.output.strip()}"

            def keys() -> list[str]:
                page = client.get("/v1/signals").json()
                return [one["signal_key"] for one in page["signals"]]

            def wait_for(number: int) -> None:
                deadline = time.monotonic() + 60
                while len(keys()) < number:
                    assert time.monotonic() < deadline, keys()
                    time.sleep(0.2)

            wait_for(2)
            write_alerts(folder, signal(3, drug="another"))
            wait_for(3)
            assert client.get("/v1/health").json() == {"status": "up"}
            with (folder / "alerts.jsonl").open("a") as file:
                file.write("{}\n")
            deadline = time.monotonic() + 30
            while client.get("/v1/health").status_code != 503:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            assert len(keys()) == 3  # alerts read before are still served
        served.send_signal(signals.SIGTERM)
        _, said = served.communicate(timeout=30)
    assert served.returncode == 0
    assert "line 4: must be an alert" in said
    assert "Traceback" not in said
