"""The disclosure attack on pages: what a tier withholds changes no page, fragment, figure or file.

Two histories that differ only in what a tier may not know must look the same at that tier, wherever
a reader goes: a page that used such a value anywhere would differ.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from detectors.rules import load_rules
from schemas.delta import Delta
from schemas.report import Report
from schemas.subscription import Tier
from streams.console.application import desk_application
from streams.console.desk import Desk, Intake
from streams.core.cases.strata import default_age_bands
from streams.core.counting.case_history import CaseHistory
from streams.core.counting.windows import WindowSpec
from streams.core.safety.safety_record import SafetyRecord
from streams.delivery.alert_sources import AnyAlert
from streams.runtime.embedded.replay import Replay
from tests.support.api_server import service_in
from tests.support.disclosure_histories import (
    COUNTRIES,
    DEALER,
    FACILITIES,
    LOTS,
    MAKERS,
    ONSET_YEAR,
    History,
    random_history,
)
from tests.support.policy_histories import with_alarm
from tests.support.reports import make_report

SEEDS = (1, 5)
TABS = ("", "screening", "overdue", "on", "decided", "suppressed")
ADDRESSES = (
    *(f"/desk?tab={tab}&since=2020-01-01" for tab in TABS),
    "/desk?since=2020-01-01&sort=-fatal",
    "/desk/rows?n=100&tab=on",
    "/desk/rumours",
    "/desk/map",
    "/desk/operations",
    "/desk/operations/rejected",
    "/desk/audit",
    *(f"/desk/map/events/{term}" for term in ("Sepsis", "Infection")),
    *(f"/desk/safety/{name}" for name in (*LOTS, *FACILITIES, "RUM-71", "LC-93")),
    *(f"/desk/rumours/{name}" for name in ("RUM-71", "LC-93")),
)
OF_A_SIGNAL = (
    "", "/r/1", "?as_of=2024-02-01", "/diff/1..2", "/cases", "/cases.csv", "/alert.json",
    "/dossier.html", "/inside",
)  # fmt: skip
HIDDEN = {
    "lot": {lot: lot.replace("LOT0", "LOT5") for lot in LOTS},
    "facility": {name: f"{name}-x" for name in FACILITIES},
    "maker": {name: f"{name} II" for name in MAKERS},
    "dealer": {DEALER: f"{DEALER} II"},
}
_NAMES = {*LOTS, *FACILITIES}
CODES = re.compile(r"[0-9a-f]{12,64}|[A-Za-z0-9_-]{22,}(?=\")")
TAGS = re.compile(r"<[^>]*>")
SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)
DESC = re.compile(r"<desc[^>]*>(.*?)</desc>", re.DOTALL)


@contextmanager
def browser(tier: Tier, history: History, folder: Path) -> Iterator[tuple[TestClient, list[str]]]:
    """Open the desk of a history at a tier; yield a browser and the keys that the tier knows."""
    folder.mkdir(exist_ok=True)
    service = service_in(folder)
    counted, safety = CaseHistory(default_age_bands()), SafetyRecord()
    for notice in history.notices:
        safety.add_notice(notice)
    published = 0
    first = date(2024, 1, 1)
    others = [
        make_report(f"B-{n}", day=first, drugs=(f"drug {n % 4}",), events=(f"event {n % 5}",))
        for n in range(40)
    ]
    with service.model() as model, model.batch():

        def publish(alert: AnyAlert) -> None:
            nonlocal published
            published += 1
            model.put(alert, source="alerts", position=published)

        def keep(offset: int, report: Report) -> None:
            model.put_report(report, source="pv.reports[0]", position=offset)
            safety.add_report(report)

        def count(delta: Delta) -> None:
            counted.apply(delta)
            safety.apply(delta)

        run = Replay(
            [WindowSpec.parse(history.window)],
            with_alarm(load_rules(["mhra", "ema"]), {"ema"}),
            every=1,
            until=None,
            horizon=date(2030, 1, 1),
            on_alert=publish,
            on_safety_alert=publish,
            on_rejected=lambda rejected: None,
            on_report=keep,
            on_delta=count,
            notices=history.notices,
        )
        reports = [*others, *(one.report() for one in history.versions)]
        for _ in run.feed("test", enumerate(reports, start=1)):
            pass
        run.finish()
    with service.model() as model:
        keys = model.keys(tier)
    desk = Desk(
        service=service,
        intake=Intake(sources=("test",), replayed=True, closed=run.last_day),
        readers_path=folder / "readers.db",
        tier=tier,
        history=counted,
        safety=safety,
        hosts=frozenset({"desk"}),
    )
    with TestClient(
        desk_application(desk), base_url="http://desk", headers={"accept": "text/html"}
    ) as client:
        yield client, sorted(keys)


def seen(tier: Tier, history: History, folder: Path) -> dict[str, str]:
    """Return everything that a reader of a tier sees, by address."""
    with browser(tier, history, folder) as (client, keys):
        found = {}
        for address in ADDRESSES:
            answer = client.get(address)
            asked = address.rpartition("/")[2]  # what a reader typed is no gain to find in a page
            text = answer.text.replace(asked, "ASKED") if asked in _NAMES else answer.text
            found[address] = f"{answer.status_code} {text}"
        for place, key in enumerate(keys):
            for rest in OF_A_SIGNAL:
                answer = client.get(f"/desk/signals/{quote(key, safe='')}{rest}")
                assert answer.status_code < 500, (key, rest)
                found[f"signal {place}{rest}"] = f"{answer.status_code} {answer.text}"
        return found


def alike(pages: dict[str, str]) -> dict[str, list[list[str]]]:
    """Return the sorted words of pages without codes and ids; those of signals together.

    Codes of names differ between two histories, and what is of equal rank stands in their order.
    """
    found: dict[str, list[list[str]]] = defaultdict(list)
    for address, text in pages.items():
        # Where labels collide some are left out: a picture counts by the numbers it describes.
        described = SVG.sub(lambda drawn: " ".join(DESC.findall(drawn[0])), text)
        words = TAGS.sub(" ", CODES.sub("CODE", described)).split()
        found[re.sub(r"^signal \d+", "signal", address)].append(sorted(words))
    return {name: sorted(texts) for name, texts in found.items()}


def names_in(pages: dict[str, str]) -> set[str]:
    """Return the names of lots, clinics, makers and onsets that pages hold."""
    text = "\n".join(pages.values())
    hidden = {*LOTS, *FACILITIES, *MAKERS, DEALER, "person-P3"}
    found = {name for name in hidden if name in text}
    return found | set(re.findall(rf"\b{ONSET_YEAR}-\d\d-\d\d\b", text))


@pytest.mark.parametrize("tier", [Tier.PUBLIC, Tier.CONSUMER])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_tier_withholds_changes_no_page(seed: int, tier: Tier, tmp_path: Path) -> None:
    history = random_history(seed)
    days = {one.onset: one.onset + timedelta(days=3) for one in history.versions}
    usual = seen(tier, history, tmp_path / "usual")
    assert names_in(usual) == set()
    asked = {address for address, text in usual.items() if text.startswith("200")}
    assert len(asked) > 7
    twins = [history.mapped(onset=days, **HIDDEN)]
    if tier is Tier.PUBLIC:
        other = dict(zip(COUNTRIES, (*COUNTRIES[1:], COUNTRIES[0]), strict=True))
        twins.append(history.mapped(country=other))
    for number, twin in enumerate(twins):
        found = alike(seen(tier, twin, tmp_path / f"twin-{number}"))
        for address, texts in alike(usual).items():
            assert found[address] == texts, address


def test_the_attack_tells_histories_apart_where_nothing_is_withheld(tmp_path: Path) -> None:
    history = random_history(SEEDS[0])
    usual = seen(Tier.AUTHORITY, history, tmp_path / "usual")
    twin = seen(Tier.AUTHORITY, history.mapped(**HIDDEN), tmp_path / "twin")
    assert {*LOTS} & names_in(usual)
    assert alike(usual) != alike(twin)
