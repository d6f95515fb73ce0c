"""The dossier: all parts, the alert as published, decisions with their hashes, as of a day."""

import html
import shlex
from pathlib import Path

import pytest

from schemas.decision import Decision, SignalState, SignatureMeaning
from tests.support.amended_cases import amended_reports
from tests.support.signal_pages import NOW, ReplayedDesk, address_of, replayed_desk

KEY = "zinc|rash|cumulative"


def test_it_holds_the_alert_and_the_command_that_recounts_it(amended: ReplayedDesk) -> None:
    alert = amended.alerts[-1]
    page = amended.get(address_of(alert, "/dossier.html"))
    assert page.status == 200
    assert alert.model_dump_json() in html.unescape(page.text)
    assert shlex.split(page.part("proof").partition("tocsin ")[2])[1] == alert.alert_id
    assert page.fact("n_observed") == str(alert.counts.n_observed)
    assert set(page.rows("data-case")) == set(alert.case_ids)
    assert page.tree.xpath("//form") == []
    assert "No decision had been recorded" in page.part("record")


def test_the_decision_record_has_meanings_and_hashes(tmp_path: Path) -> None:
    done = replayed_desk(tmp_path, amended_reports())
    entry = done.desk.service.audit.decide(
        Decision(
            signal_key=KEY,
            to=SignalState.UNDER_TRIAGE,
            by="bo",
            reason="to be read",
            meaning=SignatureMeaning.REVIEWED,
        ),
        NOW,
    )
    page = done.get(address_of(done.alerts[-1], "/dossier.html"))
    record = page.part("record")
    assert "Reviewer: I have checked the assessment" in record
    assert entry.model_dump_json(by_alias=True) in record
    before = done.get(address_of(done.alerts[-1], "/dossier.html?as_of=2024-02-01"))
    assert entry.hash not in before.text


def test_an_earlier_day_has_its_own_alert(amended: ReplayedDesk) -> None:
    of_pair = [one for one in amended.alerts if one.signal_key == KEY]
    page = amended.get(address_of(of_pair[0], "/dossier.html?as_of=2024-01-21"))
    assert of_pair[3].alert_id in page.text
    assert of_pair[4].alert_id not in page.text
    assert "death" not in page.part("lines")


@pytest.mark.usefixtures("pango")
def test_the_file_is_made_from_the_page(amended: ReplayedDesk) -> None:
    alert = amended.alerts[-1]
    answer = amended.client.get(address_of(alert, "/dossier.pdf"))
    assert answer.headers["content-type"] == "application/pdf"
    assert alert.alert_id in answer.headers["content-disposition"]
    assert answer.content.startswith(b"%PDF-")
