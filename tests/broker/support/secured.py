"""Users of a secured broker, with the documented rights, and their commands."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import httpx2
from kafka.admin import ResourceType

from schemas.subscription import Tier
from streams.delivery.api.tokens import Scope, TokenStore
from streams.delivery.sending.signing_keys import TIER_KEY
from streams.runtime.settings import Settings
from tests.broker.support.processes import wait_until
from tests.broker.support.secure_kafka import DOCUMENT, SecureKafka, documented_grants
from tests.support.alerts import KEY
from tests.support.cli import COMMAND

__all__ = ["GRANTS", "LIMIT", "PASSWORDS", "ROLES", "WITHOUT", "Ended", "Secured"]

LIMIT = 60.0  # seconds that a refusal may take, on a machine that does other work too
GRANTS = documented_grants()
ROLES = sorted({grant.role for grant in GRANTS})
WITHOUT = {
    "cases-without-id": ("cases", ResourceType.TRANSACTIONAL_ID),
    "detect-without-id": ("detect", ResourceType.TRANSACTIONAL_ID),
    "cases-without-group": ("cases", ResourceType.GROUP),
    "redrive-without-id": ("redrive", ResourceType.TRANSACTIONAL_ID),
    "serve-without-alerts": ("serve", "pv.alerts"),
    "serve-without-reports": ("serve", "pv.reports"),
    "serve-without-notices": ("serve", "pv.notices"),
    "serve-without-audit": ("serve", "pv.audit"),
}
"""Users with the rights of a role but those on one kind of resource, or on one."""
PASSWORDS = {user: f"secret-{uuid4().hex}" for user in (*ROLES, *WITHOUT)}


class Ended(NamedTuple):
    """A command that ended."""

    code: int
    out: str
    err: str
    seconds: float


class Secured:
    """A broker with its users, and how they run commands."""

    def __init__(self, server: SecureKafka, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.reports = folder / "reports.jsonl"
        self.said: list[str] = []

    def config(self, user: str, listener: str, *, trusting: bool = True) -> Path:
        """Write the documented settings file, with the values that are true here."""
        (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
        values = {
            "kafka1.example.org:9093": self.server.address(listener),
            '"cases"': f'"{user}"',
            "/etc/tocsin/ca.pem": str(self.server.ca),
        }
        for printed, true in values.items():
            assert example.count(printed) == 1
            example = example.replace(printed, true)
        if not trusting:
            example = re.sub("ssl_cafile = .*\n", "", example)
        path = self.folder / f"{user}-{listener}-{trusting}.toml"
        path.write_text(example)
        return path

    def run(
        self,
        user: str,
        *arguments: object,
        listener: str = "VALID",
        password: str | None = None,
        trusting: bool = True,
        seconds: float = 90,
    ) -> Ended:
        config = self.config(user, listener, trusting=trusting)
        begun = time.monotonic()
        done = subprocess.run(
            [*COMMAND, *map(str, arguments), "--config", config],
            env=self.environment(user, password),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        self.said += [done.stdout, done.stderr]
        return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - begun)

    def environment(self, user: str, password: str | None = None) -> dict[str, str]:
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith("TOCSIN_")},
            "TOCSIN_SASL_PASSWORD": password or PASSWORDS[user],
            "TOCSIN_PARTITIONS": "2",
            "TOCSIN_SESSION_TIMEOUT_MS": "6000",
            "TOCSIN_CONNECT_TIMEOUT_MS": "4000",
            "TOCSIN_STATE_DIR": str(self.folder / "state" / user),
            "COLUMNS": "200",
            TIER_KEY: KEY.decode(),
        }

    @contextmanager
    def serving(self, user: str, folder: Path) -> Iterator[httpx2.Client]:
        """Run `tocsin serve` with every source it may have, for one who may do everything."""
        box, log = folder / "outbox.db", folder / "served"
        with TokenStore(box) as store:
            token = store.add("PMDA", Tier.AUTHORITY, frozenset(Scope), datetime.now(UTC))
        command = (
            *("serve", "--cases", "--port", "0", "--outbox", box, "--config"),
            *(self.config(user, "VALID"), "--model", folder / "m.db", "--log", folder / "log"),
        )
        with log.open("wb") as out:
            words = [*COMMAND, *map(str, command)]
            process = subprocess.Popen(words, env=self.environment(user), stdout=out, stderr=out)
        try:
            wait_until(lambda: "/openapi.json" in log.read_text(), LIMIT, "served")
            address = log.read_text().split("/openapi.json")[0]
            with httpx2.Client(base_url=address, trust_env=False) as client:
                client.headers["authorization"] = f"Bearer {token}"
                yield client
        finally:
            process.kill()
            process.wait()
            self.said.append(log.read_text())

    def settings(self, user: str, listener: str = "VALID", password: str = "") -> Settings:
        secret = password or PASSWORDS[user]
        config = self.config(user, listener)
        return Settings.load(config, sasl_password=secret, connect_timeout_ms=2000)
