"""A desk of replayed reports, its pages by HTTP, and their parts by CSS classes and attributes."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import quote

import httpx2
import lxml.html
from fastapi.testclient import TestClient

from detectors.rules import load_rules
from schemas.alert import Alert
from schemas.notice import Notice
from schemas.report import Report
from streams.console.application import desk_application
from streams.console.desk import Desk, Intake
from streams.console.frame.session import COOKIE, Session, Sessions
from streams.core.cases.strata import default_age_bands
from streams.core.counting.case_history import CaseHistory
from streams.core.counting.windows import WindowSpec
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.api.service import FileNotices, Service
from streams.runtime.embedded.replay import Replay
from streams.runtime.operations.audit_log import AuditLog

__all__ = ["KEY", "NOW", "Page", "ReplayedDesk", "address_of", "replayed_desk"]

KEY = b"k" * 32
NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
_HOST = "testserver"


@dataclass(frozen=True)
class Page:
    """An answer of the desk, parsed."""

    status: int
    text: str

    @property
    def tree(self) -> lxml.html.HtmlElement:
        """The document."""
        return lxml.html.document_fromstring(self.text)

    def fact(self, name: str) -> str:
        """Return the text of the only element with an attribute `data-fact`."""
        (found,) = self.tree.xpath(f'//*[@data-fact="{name}"]')
        return " ".join(found.text_content().split())

    def part(self, element_id: str) -> str:
        """Return the text of an element by its id."""
        (found,) = self.tree.xpath(f'//*[@id="{element_id}"]')
        return " ".join(found.text_content().split())

    def rows(self, attribute: str) -> dict[str, list[str]]:
        """Return the texts of the cells of each row with an attribute, by its value."""
        return {
            row.get(attribute): [
                " ".join(cell.text_content().split()) for cell in row.xpath("./th | ./td")
            ]
            for row in self.tree.xpath(f"//tr[@{attribute}]")
        }


@dataclass(frozen=True)
class ReplayedDesk:
    """A desk, what was published, and a browser of a reader."""

    desk: Desk
    published: list[AnyAlert]
    client: TestClient

    @property
    def alerts(self) -> list[Alert]:
        """The alerts on signals of disproportionate reporting."""
        return [alert for alert in self.published if isinstance(alert, Alert)]

    def get(self, path: str) -> Page:
        """Return a page."""
        answer = self.client.get(path)
        return Page(answer.status_code, answer.text)

    def over_wire(self, path: str) -> Page:
        """Return a page by its address as a server reads it: decoded once.

        `TestClient` decodes a path twice, so that a percent sign in a name is lost.
        """

        async def fetch() -> httpx2.Response:
            transport = httpx2.ASGITransport(app=self.client.app)
            async with httpx2.AsyncClient(
                transport=transport, base_url=f"http://{_HOST}"
            ) as client:
                return await client.get(path)

        answer = asyncio.run(fetch())
        return Page(answer.status_code, answer.text)

    def as_reader(self, name: str) -> TestClient:
        """Return a browser of another reader."""
        client = TestClient(self.client.app, base_url=f"http://{_HOST}")
        client.cookies.set(COOKIE, Sessions(KEY).cookie(Session("other", name)))
        return client


def address_of(alert: AnyAlert, rest: str = "") -> str:
    """Return the address of a page of a signal."""
    return f"/desk/signals/{quote(alert.signal_key, safe='')}{rest}"


def replayed_desk(
    folder: Path,
    reports: Iterable[Report],
    notices: Iterable[Notice] = (),
    *,
    rules: str = "mhra",
    reader: str = "A. Assessor",
) -> ReplayedDesk:
    """Replay reports into a desk, an evaluation every day, and open a browser of a reader."""
    service = Service(
        outbox_path=folder / "outbox.db",
        model_path=folder / "signals.db",
        key=KEY,
        audit=AuditLog(folder / "audit.jsonl"),
        notices=FileNotices(folder / "notices.jsonl"),
        now=lambda: NOW,
    )
    history, published = CaseHistory(default_age_bands()), list[AnyAlert]()
    with service.model() as model, model.batch():

        def publish(alert: AnyAlert) -> None:
            published.append(alert)
            model.put(alert, source="alerts", position=len(published))

        run = Replay(
            [WindowSpec.parse("cumulative")],
            load_rules(rules),
            every=1,
            until=None,
            horizon=date(2030, 1, 1),
            notices=notices,
            on_alert=publish,
            on_safety_alert=publish,
            on_rejected=lambda rejected: None,
            on_report=lambda offset, report: model.put_report(
                report, source="pv.reports[0]", position=offset
            ),
            on_delta=history.apply,
        )
        for _ in run.feed("test", enumerate(reports)):
            pass
        run.finish()
    intake = Intake(
        sources=("reports.jsonl",),
        replayed=True,
        closed=run.last_day,
        n_counted=run.summary.population["counted"],
    )
    desk = Desk(
        service=service,
        intake=intake,
        readers_path=folder / "readers.db",
        history=history,
        hosts=frozenset({_HOST}),
    )
    client = TestClient(desk_application(desk), base_url=f"http://{_HOST}")
    client.cookies.set(COOKIE, Sessions(KEY).cookie(Session("session", reader)))
    return ReplayedDesk(desk, published, client)
