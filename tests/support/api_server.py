"""The HTTP API on a port of loopback, in a thread of its own, and clients of it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

from schemas.product import Facility, Product
from schemas.report import Patient, Reaction, Report
from schemas.subscription import Tier
from streams.delivery.alert_sources import AnyAlert, FileTail
from streams.delivery.api.application import make_application
from streams.delivery.api.feed import feed_once
from streams.delivery.api.service import FileNotices, Service
from streams.delivery.api.tokens import Scope
from streams.delivery.server.http_server import http_server
from streams.runtime.operations.audit_log import AuditLog
from tests.support.alerts import KEY
from tests.support.browser.servers import serving_server
from tests.support.reports import make_report

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)

Connect = Callable[[str | None], httpx2.Client]
"""The fixture `connect`: open a client with a token, or with none."""


def service_in(folder: Path, **changes: Any) -> Service:
    service = Service(
        outbox_path=folder / "outbox.db",
        model_path=folder / "signals.db",
        key=KEY,
        audit=AuditLog(folder / "audit.jsonl"),
        notices=FileNotices(folder / "notices.jsonl"),
        token_rate="10000/minute",
        address_rate="10000/minute",
        poll_seconds=0.05,
        now=lambda: NOW,
    )
    return replace(service, **changes)


def feed(service: Service, alerts: Iterable[AnyAlert], reports: Iterable[Report] = ()) -> None:
    """Add to the files of alerts and reports, and take them in."""
    folder = service.model_path.parent
    for name, messages in (("alerts", alerts), ("reports", reports)):
        with (folder / f"{name}.jsonl").open("a") as file:
            file.writelines(message.model_dump_json() + "\n" for message in messages)
    with service.outbox() as outbox, service.model() as model:
        tails = [
            FileTail(folder / f"{name}.jsonl", model.place, name) for name in ("alerts", "reports")
        ]
        feed_once(service, tails[0], tails[1], (outbox, model))


def token_of(
    service: Service,
    tier: Tier = Tier.AUTHORITY,
    scopes: Iterable[Scope] | None = None,
    subscriber: str = "PMDA",
) -> str:
    if scopes is None:
        authority = {Scope.DECISIONS_WRITE, Scope.VERIFICATIONS_WRITE, Scope.OPERATIONS_WRITE}
        scopes = set(Scope) - (set() if tier is Tier.AUTHORITY else authority)
    with service.tokens() as store:
        return store.add(subscriber, tier, frozenset(scopes), NOW)


@contextmanager
def serving(service: Service, **limits: Any) -> Iterator[str]:
    """Yield the address of a server; limits are those of `http_server`."""
    with serving_server(http_server(make_application(service), **limits)) as address:
        yield address


@contextmanager
def client_of(address: str, token: str | None) -> Iterator[httpx2.Client]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    with closing(httpx2.Client(base_url=address, headers=headers, trust_env=False)) as client:
        yield client


def reported(case_id: str, version: int = 1, term: str = "Sepsis") -> Report:
    """Return a report of the lot, with words in it that no listing may show."""
    product = Product(
        verbatim="exosomes of Dr Who",
        product_class="exosome",
        lot="EX-117",
        facility=Facility(facility_id="C-A"),
    )
    return make_report(
        case_id,
        day=date(2019, 10, 7),
        version=version,
        patient=Patient(age_years=44, relationship_to_facility="wife of the owner"),
        products=(product,),
        reactions=(Reaction(term=term, verbatim="she told me that"),),
    )


def signal_path(key: str, more: str = "") -> str:
    """Return the path of a signal, or of something of it."""
    return f"/v1/signals/{quote(key, safe='')}{more}"


def is_problem(answer: httpx2.Response, status: int, words: str = "") -> None:
    """Check that an answer is a problem, in the one form that all of them have."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail"}
    assert body["status"] == status
    assert words in body["detail"]
