"""The desk of `tocsin serve --desk`: its sign-in, its addresses, and the counts that it follows."""

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from schemas.delta import Delta
from schemas.errors import IcsrError, InputError
from streams.console.access.gate import Gate
from streams.console.access.openid import OpenIdProvider, OpenIdSettings
from streams.console.application import desk_application
from streams.console.desk import Desk, Intake
from streams.console.operations.rejects import KafkaRejects
from streams.console.operations.workers import Workers
from streams.core.cases.strata import default_age_bands
from streams.core.safety.safety_record import SafetyRecord
from streams.delivery.api.service import Service
from streams.intake.notices import decode_notice
from streams.runtime.followers.history_follower import FollowedHistory, following
from streams.runtime.followers.topic_follower import following_topic
from streams.runtime.owner_only import owner_only_folder
from streams.runtime.settings import Settings

__all__ = ["OPENID_SECRET", "ServedDesk"]

_LOG = logging.getLogger(__name__)
_EPOCH = date(1970, 1, 1)
OPENID_SECRET = "OPENID_SECRET"
"""Environment variable with our client's secret at the OpenID provider."""


@dataclass(frozen=True, slots=True)
class ServedDesk:
    """What a server was asked to serve as its desk.

    Attributes
    ----------
    address
        Address that readers open; None: this machine alone.
    on_kafka
        Whether alerts come from the topic, and so the counts and the rejects too.
    workers
        Addresses of the workers' monitoring endpoints.
    """

    folder: Path
    address: str | None
    openid: Path | None
    local_accounts: bool
    on_kafka: bool
    workers: tuple[str, ...] = ()

    def require_guarded(self, *, loopback: bool) -> None:
        """Refuse to serve others without a sign-in, or without an address.

        Raises
        ------
        InputError
            If it would.
        """
        if loopback:
            return
        if self.openid is None and not self.local_accounts:
            msg = "serve: --desk beyond this machine must have --openid or --local-accounts"
            raise InputError(msg)
        if self.address is None or urlsplit(self.address).scheme != "https":
            msg = (
                "serve: --desk beyond this machine must have a --desk-address with https; got "
                f"{self.address or 'none'}"
            )
            raise InputError(msg)

    @contextmanager
    def opened(
        self, service: Service, settings: Settings, sources: tuple[str, ...], port: int
    ) -> Iterator[ASGIApp]:
        """Open the desk of a service; follow the counts while the body runs.

        Parameters
        ----------
        sources
            Names of what the reports come from.
        port
            Port that the server listens on.
        """
        owner_only_folder(self.folder)
        with ExitStack() as opened:
            intake = Intake(sources=sources)
            history, safety = None, None
            if self.on_kafka:
                history, safety = FollowedHistory(default_age_bands()), SafetyRecord()
                opened.enter_context(_following(settings, intake, history, safety))
            desk = Desk(
                service=service,
                intake=intake,
                readers_path=self.folder / "readers.db",
                history=history,
                safety=safety,
                gate=self._gate(opened, service),
                visits_path=self.folder / "visits.db",
                rejects=KafkaRejects(settings) if self.on_kafka else None,
                workers=Workers(self.workers) if self.workers else None,
                hosts=self._hosts(port),
            )
            yield desk_application(desk)

    def _hosts(self, port: int) -> frozenset[str]:
        ours = {f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"}
        return frozenset(ours | ({urlsplit(self.address).netloc} if self.address else set()))

    def _gate(self, opened: ExitStack, service: Service) -> Gate | None:
        if self.openid is None and not self.local_accounts:
            return None
        provider = None
        if self.openid is not None:
            if self.address is None:
                msg = "serve: --openid must have the --desk-address that the provider returns to"
                raise InputError(msg)
            provider = OpenIdProvider(
                OpenIdSettings.load(self.openid),
                secret=os.environ.get(OPENID_SECRET, ""),
                redirect=f"{self.address.rstrip('/')}/desk/sign-in/answer",
            )
            opened.enter_context(closing(provider))
        return Gate.of(
            self.folder,
            service.key,
            service.now,
            provider=provider,
            local=self.local_accounts,
            secure=self.address is not None and self.address.startswith("https:"),
        )


@contextmanager
def _following(
    settings: Settings, intake: Intake, history: FollowedHistory, safety: SafetyRecord
) -> Iterator[None]:
    """Follow counts and notices while the body runs."""

    def count(delta: Delta) -> None:
        safety.apply(delta)
        intake.closed = _EPOCH + timedelta(days=delta.watermark)

    def add(source: str, offset: int, raw: bytes) -> None:
        try:
            safety.add_notice(decode_notice(raw))
        except IcsrError as error:  # the detector sets it aside, with its reason
            _LOG.warning("%s@%s: not shown: %s", source, offset, error)

    with following(settings, history, count), following_topic(settings, "notices", add):
        yield
