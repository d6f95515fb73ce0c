"""The exosome scenario: its reports, notices and synthetic background, from `exosome.json`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any

from schemas.notice import Notice
from schemas.product import Product
from schemas.report import Reaction, Report

__all__ = ["PRODUCT_CLASS", "ScenarioStep", "background", "story"]

PRODUCT_CLASS = "msc-supernatant-exosome"
"""The class of the scenario's products: vesicles or supernatant of cultured mesenchymal cells."""


@dataclass(frozen=True, slots=True)
class ScenarioStep:
    """A report or notice of the scenario, with its step and a line of text."""

    step: int
    line: str
    item: Report | Notice

    @property
    def day(self) -> date:
        """The day it is received."""
        item = self.item
        return item.latest_received if isinstance(item, Report) else item.received


@lru_cache(maxsize=1)
def _scenario() -> dict[str, Any]:
    text = files("streams.demo").joinpath("exosome.json").read_text(encoding="utf-8")
    scenario: dict[str, Any] = json.loads(text)
    return scenario


def background() -> Iterator[Report]:
    """Yield the 20,060 earlier reports in order of receipt.

    Every block is spread evenly over products, events and months, so that drug and event are
    independent in it: no pair of the background is disproportionate.
    """
    spread = _scenario()["background"]
    start, end = (date.fromisoformat(spread[day]) for day in ("first_day", "last_day"))
    dated = [
        (_first_of_month(start, i * ((end - start).days + 1) // block["count"]), number, i, block)
        for number, block in enumerate(spread["blocks"])
        for i in range(block["count"])
    ]
    for received, number, i, block in sorted(dated, key=lambda entry: entry[:3]):
        if block["drug"] == "other":
            name = f"product {i % spread['products'] + 1:02}"
            product = Product(substances=(name,), indication=block.get("indication"))
        else:
            product = Product(product_class=block["drug"], indication=block.get("indication"))
        # Events advance after all products had a report, so that the two do not correlate.
        events = block.get("events", spread["ordinary_events"])
        turn = i // spread["products"] if block["drug"] == "other" else i
        yield Report(
            case_id=f"BG-{number}-{i:05}",
            source="demo",
            first_received=received,
            latest_received=received,
            products=(product,),
            reactions=(Reaction(term=events[turn % len(events)]),),
        )


def _first_of_month(start: date, days: int) -> date:
    return (start + timedelta(days=days)).replace(day=1)


def story(*, refuted: bool = False) -> list[ScenarioStep]:
    """Return the scenario's reports and notices, step by step.

    Parameters
    ----------
    refuted
        Whether the rumour of deaths is refuted; else a report confirms it.
    """
    scenario = _scenario()
    steps = [
        ScenarioStep(
            entry["step"], entry["told"], Report.model_validate_json(json.dumps(entry["report"]))
        )
        for entry in scenario["cases"]
    ]
    steps += [
        ScenarioStep(
            entry["step"], entry["told"], Notice.model_validate_json(json.dumps(entry["notice"]))
        )
        for entry in [*scenario["notices"], scenario["refuted"]]
    ]
    ended = ("RUM-1-ICSR", "RUM-1e") if refuted else ("RUM-1f",)
    return sorted(
        (entry for entry in steps if _name(entry.item) not in ended), key=lambda entry: entry.step
    )


def _name(item: Report | Notice) -> str:
    return item.case_id if isinstance(item, Report) else item.notice_id
