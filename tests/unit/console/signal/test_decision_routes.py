"""Decisions by form: logged as the API logs them, refused if anything came first."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from schemas.decision import AuditEntry, Decision, SignalState, SignatureMeaning
from streams.console.signal import decision_routes
from tests.support.amended_cases import amended_reports
from tests.support.signal_pages import NOW, Page, ReplayedDesk, address_of, replayed_desk

KEY = "zinc|rash|cumulative"
REASON = "eight infants within a month"


@pytest.fixture
def done(tmp_path: Path) -> ReplayedDesk:
    return replayed_desk(tmp_path, amended_reports())


def _fields(done: ReplayedDesk, **changed: str) -> dict[str, str]:
    """Return the fields as a browser sends them: hidden ones of the page, and what is typed."""
    page = done.get(_address(done))
    form = page.tree.xpath('//form[@id="decide"]')[0]
    hidden = {one.get("name"): one.get("value") for one in form.xpath('.//input[@type="hidden"]')}
    typed = {"to": "under_triage", "reason": REASON, "meaning": "assessed", "assignee": "ann"}
    return {**hidden, **typed, **changed}


def _address(done: ReplayedDesk) -> str:
    return address_of(done.alerts[-1])


def _post(done: ReplayedDesk, fields: dict[str, str]) -> httpx2.Response:
    return done.client.post(
        address_of(done.alerts[-1], "/decisions"), data=fields, follow_redirects=False
    )


def test_a_signature_is_logged_and_its_entry_shown(done: ReplayedDesk) -> None:
    answer = _post(done, _fields(done))
    assert answer.status_code == 303
    (entry,) = done.desk.service.audit.entries()
    assert entry.decision == Decision(
        signal_key=KEY,
        to=SignalState.UNDER_TRIAGE,
        by="A. Assessor",
        reason=REASON,
        alert_id=done.alerts[-1].alert_id,
        assignee="ann",
        meaning=SignatureMeaning.ASSESSED,
    )
    page = done.get(answer.headers["location"])
    assert entry.hash in page.text
    assert "Recorded as entry 1" in page.text
    assert "assigned to ann" in page.text
    assert REASON in page.part("ledger")


def test_nothing_is_chosen_before_the_reader_chooses(done: ReplayedDesk) -> None:
    tree = done.get(_address(done)).tree
    assert tree.xpath('//input[@type="radio"][@checked]') == []
    assert tree.xpath('//select[@name="meaning"]/option[@selected]') == []


@pytest.mark.parametrize(
    "changed", [{"reason": "too short"}, {"to": "confirmed"}, {"meaning": ""}, {"to": ""}]
)
def test_a_form_with_a_problem_comes_back_with_what_was_typed(
    done: ReplayedDesk, changed: dict[str, str]
) -> None:
    answer = _post(done, _fields(done, **changed))
    assert answer.status_code == 422
    assert done.desk.service.audit.entries() == ()
    tree = Page(422, answer.text).tree
    (problem,) = tree.xpath('//*[@class="problem"]')
    assert tree.xpath(f'//*[contains(@aria-describedby, "{problem.get("id")}")]')
    (reason,) = tree.xpath('//textarea[@name="reason"]')
    assert reason.text == changed.get("reason", REASON)


def test_another_decision_first_is_a_conflict_and_the_reason_is_kept(done: ReplayedDesk) -> None:
    fields = _fields(done)
    other = Decision(signal_key=KEY, to=SignalState.UNDER_TRIAGE, by="bo", reason="first to it")
    done.desk.service.audit.decide(other, NOW)
    answer = _post(done, fields)
    assert answer.status_code == 409
    assert len(done.desk.service.audit.entries()) == 1
    page = Page(409, answer.text)
    alert_text = page.tree.xpath('//*[@role="alert"]')[0].text_content()
    assert "first to it" in alert_text
    assert page.tree.xpath('//textarea[@name="reason"]')[0].text == REASON
    assert page.tree.xpath('//input[@name="seen"]')[0].get("value") == "1"


def test_a_newer_revision_first_is_a_conflict_with_the_difference(done: ReplayedDesk) -> None:
    fields = _fields(done)
    last = done.alerts[-1]
    newer = last.model_copy(
        update={
            "revision": last.revision + 1,
            "alert_id": "newer",
            "case_ids": (*last.case_ids, "Z099"),
            "counts": last.counts.model_copy(update={"n_observed": 9, "n_drug": 11}),
        }
    )
    with done.desk.service.model() as model:
        model.put(newer, source="alerts", position=1000)
    answer = _post(done, fields)
    assert answer.status_code == 409
    shown = Page(409, answer.text).tree.xpath('//*[@role="alert"]')[0].text_content()
    assert "Z099" in shown
    assert f"Revision {last.revision} " in shown
    assert done.desk.service.audit.entries() == ()
    again = {**fields, "alert_id": "newer"}
    assert _post(done, again).status_code == 303


def test_a_decision_between_check_and_append_is_refused_by_the_log(
    done: ReplayedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other decision comes after the page compared the log, and before it appends."""
    fields = _fields(done, to="retracted")  # which the state allows before and after the other
    logged = decision_routes.logged_decision

    def late(*given: Any, **named: Any) -> AuditEntry:
        other = Decision(signal_key=KEY, to=SignalState.UNDER_TRIAGE, by="bo", reason="between")
        done.desk.service.audit.decide(other, NOW)
        return logged(*given, **named)

    monkeypatch.setattr(decision_routes, "logged_decision", late)
    answer = _post(done, fields)
    assert answer.status_code == 409
    assert [entry.decision.by for entry in done.desk.service.audit.entries()] == ["bo"]
    assert "between" in answer.text


def test_a_form_of_another_session_is_refused(done: ReplayedDesk) -> None:
    fields = _fields(done)
    assert _post(done, {**fields, "token": "x"}).status_code == 403
    other = done.as_reader("B. Other")
    answer = other.post(address_of(done.alerts[-1], "/decisions"), data=fields)
    assert answer.status_code == 403
    assert done.desk.service.audit.entries() == ()


def test_a_reader_without_a_name_is_asked_once(tmp_path: Path) -> None:
    done = replayed_desk(tmp_path, amended_reports(), reader="")
    assert done.get(_address(done)).tree.xpath('//input[@name="reader"]')
    nameless = _post(done, _fields(done))
    assert nameless.status_code == 422
    assert 'id="reader-problem"' in nameless.text
    assert _post(done, _fields(done, reader=" A.  Assessor ")).status_code == 303
    assert done.desk.service.audit.entries()[0].decision.by == "A. Assessor"
    assert not done.get(_address(done)).tree.xpath('//input[@name="reader"]')


def test_an_earlier_revision_offers_no_form(done: ReplayedDesk) -> None:
    page = done.get(address_of(done.alerts[-1], "/r/2"))
    assert page.status == 200
    assert page.tree.xpath('//form[@id="decide"]') == []
