"""A second release of a year of VAERS: what it recodes, drops and adds reaches subscribers."""

import json
import zipfile
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from schemas.alert import Alert
from streams.delivery.channels import deliver
from streams.delivery.outbox import Outbox
from streams.delivery.sending.send_schedule import Attempt, SendOutcome
from streams.delivery.subscription_status import Due
from tests.support.alerts import KEY, NOW, subscription
from tests.support.cli import tocsin

DAY = "01/{:02}/2021"


class Row(NamedTuple):
    """What an invented report says."""

    received: str
    vaccine: str
    term: str
    died: str = ""


BACKGROUND = {n: Row(DAY.format(1 + n % 9), "FLU", "Rash") for n in range(100, 160)}
SIGNAL = {n: Row(DAY.format(n), "NEW", "Sepsis", "Y" if n in (1, 5) else "") for n in range(1, 9)}
GONE = {n: Row(DAY.format(9), "OLD", "Coma", "Y") for n in range(11, 15)}
FIRST = {**BACKGROUND, **SIGNAL, **GONE}
# 1, a death, and 2 are gone, 3 is recoded, 9 is added; a whole signal is gone.
SECOND = {
    **{number: row for number, row in FIRST.items() if number not in (1, 2, *GONE)},
    3: SIGNAL[3]._replace(term="Pyrexia"),
    9: Row("02/01/2021", "NEW", "Sepsis"),
}

RULES = ("--rules", "mhra", "--screening", "none")


def archive(path: Path, rows: Mapping[int, Row], written: tuple[int, int, int]) -> Path:
    """Write an archive of 2021 whose files have a date."""
    data = ["VAERS_ID,RECVDATE,STATE,CAGE_YR,DIED"]
    vaccines, symptoms = ["VAERS_ID,VAX_TYPE"], ["VAERS_ID,SYMPTOM1"]
    for number, row in rows.items():
        data.append(f"{number},{row.received},CA,40,{row.died}")
        vaccines.append(f"{number},{row.vaccine}")
        symptoms.append(f"{number},{row.term}")
    tables = {"DATA": data, "VAX": vaccines, "SYMPTOMS": symptoms}
    with zipfile.ZipFile(path, "w") as zipped:
        for name, lines in tables.items():
            member = zipfile.ZipInfo(f"2021VAERS{name}.csv", (*written, 0, 0, 0))
            zipped.writestr(member, "\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("releases")
    archive(folder / "first.zip", FIRST, (2021, 4, 30))
    archive(folder / "second.zip", SECOND, (2021, 5, 31))
    return folder


def replay(folder: Path, *arguments: object) -> tuple[list[Alert], dict[str, str]]:
    done = tocsin(*("replay", *arguments, "--alerts", "alerts.jsonl", *RULES), folder=folder)
    assert done.code == 0, done.err
    lines = (folder / "alerts.jsonl").read_text().splitlines()
    alerts = [Alert.model_validate_json(line) for line in lines]
    return alerts, {cells[0]: cells[1] for cells in done.rows() if len(cells) == 2}


def of(alerts: list[Alert], drug: str) -> list[Alert]:
    return [alert for alert in alerts if alert.signal_key.startswith(f"{drug.lower()}|")]


def test_a_second_release_corrects_what_was_published(folder: Path) -> None:
    alerts, summary = replay(folder, "first.zip", "second.zip")
    # While the second is read, a recoded case leaves; once it is complete, two more.
    before, recoded, withdrawn = of(alerts, "NEW")[-3:]
    assert (before.counts.n_observed, before.n_fatal, before.n_removed_withdrawn) == (8, 2, 0)
    assert [one.kind for one in (recoded, withdrawn)] == ["weakened", "weakened"]
    assert recoded.reasons == withdrawn.reasons == ("cases_retracted",)
    assert (recoded.counts.n_observed, recoded.n_fatal) == (7, 2)
    assert "VAERS-3" not in recoded.case_ids
    assert (withdrawn.counts.n_observed, withdrawn.n_fatal) == (6, 1)
    assert withdrawn.n_removed_withdrawn == 2
    assert withdrawn.case_ids == tuple(f"VAERS-{n}" for n in (4, 5, 6, 7, 8, 9))
    published, retracted = of(alerts, "OLD")
    assert (published.kind, published.n_fatal) == ("new", 4)
    assert (retracted.kind, retracted.reasons[0]) == ("retraction", "cases_retracted")
    assert (retracted.counts.n_observed, retracted.n_fatal) == (0, 0)
    assert retracted.n_removed_withdrawn == 4
    assert summary["releases closed"] == "2"
    assert summary["excluded, withdrawn"] == "6"
    assert summary["cases counted"] == str(len(SECOND))


def test_the_order_of_two_releases_changes_no_count(folder: Path) -> None:
    counts = []
    for number, order in enumerate((("first", "second"), ("second", "first"), ("second",))):
        file = f"{number}.parquet"
        _, summary = replay(folder, *(f"{name}.zip" for name in order), "--counts", file)
        assert summary["cases counted"] == str(len(SECOND))
        counts.append(pl.read_parquet(folder / file))
    assert_frame_equal(counts[0], counts[1])
    assert_frame_equal(counts[0], counts[2])
    expected = Counter((row.vaccine, row.term) for row in SECOND.values())
    observed = counts[0].select("drug", "event", "n_observed").iter_rows()
    assert {(drug, event): n for drug, event, n in observed} == expected


def test_the_day_of_a_release_can_be_stated(folder: Path) -> None:
    _, summary = replay(folder, "first.zip", "second.zip", "--release", "2021-06-30")
    assert summary["releases closed"] == "1", "both are one release now"
    assert "excluded, withdrawn" not in summary
    done = tocsin("replay", "first.zip", "--release", "soon", folder=folder)
    assert (done.code, "--release" in done.err) == (2, True)


def test_every_alert_of_two_releases_recounts(folder: Path) -> None:
    alerts, _ = replay(folder, "first.zip", "second.zip")
    done = tocsin(
        *("recount", "--source", "first.zip", "--source", "second.zip", *RULES),
        *("--alerts", "alerts.jsonl", "--json"),
        folder=folder,
    )
    assert done.code == 0, done.out
    results = [json.loads(line) for line in done.out.splitlines()]
    assert [result["equal"] for result in results] == [True] * len(alerts)


def test_a_subscriber_gets_the_corrections_in_order(folder: Path) -> None:
    alerts, _ = replay(folder, "first.zip", "second.zip")
    with closing(Outbox(":memory:", key=KEY)) as outbox:
        outbox.subscribe(subscription())
        for position, alert in enumerate(alerts):
            outbox.put(alert, source="alerts", position=position, now=NOW)
        sent: list[Any] = []

        def send(due: Due, now: datetime) -> Attempt:
            sent.append(json.loads(due.body))
            return Attempt(SendOutcome.DELIVERED, "x")

        deliver(outbox, send, lambda: NOW)
    told = [
        (one["revision"], one["kind"], one["n_fatal"], one["n_removed_withdrawn"])
        for one in sent
        if one["signal_key"].startswith("old|")
    ]
    assert told == [(1, "new", 4, 0), (2, "retraction", 0, 4)]
    last = [one for one in sent if one["drug"] == "NEW"][-1]
    assert (last["kind"], last["n_fatal"], last["n_removed_withdrawn"]) == ("weakened", 1, 2)
