"""The safety pages as a browser meets them: the story, a day, the tiers, and a statement."""

import html
import json
import re
from datetime import date
from pathlib import Path

import pytest

from schemas.notice import Verdict
from schemas.safety_alert import SafetyAlert
from schemas.subscription import Tier
from streams.delivery.api.tokens import Scope
from tests.support.safety_desk import StoryDesk, desk_of_story, story

STATEMENT = {
    "reporter": "authority",
    "by": "",
    "said": "refuted",
    "source": "ministry's letter",
    "evidence": "autopsy",
    "party": "no",
    "case_ids": "",
    "received": "2024-06-01",
}


def words(page: str) -> str:
    """Return the text of the main column, without figures and their keys, in single blanks."""
    main = page.split("<main", 1)[1]
    main = re.sub(r"<svg.*?</svg>|<ul class=.legend.*?</ul>", " ", main, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


def heading(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", page.split("<h1>")[1].split("</h1>")[0]))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> StoryDesk:
    return desk_of_story(tmp_path_factory.mktemp("desk"), with_background=True)


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> StoryDesk:
    return desk_of_story(tmp_path_factory.mktemp("desk"), tier=Tier.CONSUMER, with_background=True)


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> StoryDesk:
    return desk_of_story(tmp_path_factory.mktemp("desk"), tier=Tier.PUBLIC, with_background=True)


def test_the_death_was_contested_then_confirmed(authority: StoryDesk) -> None:
    page = authority.page("/desk/rumours/RUM-1")
    assert heading(page).endswith("alleged, then contested, then confirmed by an authority")
    text = words(page)
    assert "11 Oct 2023: alleged. 14 Nov 2023: contested." in text
    assert "Counted before 7 May 2024: 0. Counted since: 1." in text
    assert "The institution Denies it. " in text
    assert "A denial is evidence, not a refutation. Is party to it." in text
    assert "Repeats RUM-1. Stays as it was: alleged. No second source." in text
    assert "refuted on evidence" not in text


def test_the_sepsis_is_a_lot_and_not_a_clinic(authority: StoryDesk) -> None:
    page = authority.page("/desk/safety/EX117")
    assert heading(page).endswith("one lot (EX117), 3 clinics")
    text = words(page)
    assert "The cases share one lot, and no one clinic." in text
    assert "EX117 typed “EX-117”, “EX117 ” 2 1 1 0 0 4" in page_table(page)
    assert "any other lot 0 0 0 0 0 0" in text
    assert "no lot stated 0 0 0 0 0 0" in text
    assert "Report NE-2D states that it is a duplicate of NE-2." in text
    assert 'aria-label="Cases by day of onset"' in page


def page_table(page: str) -> str:
    cells = re.sub(r"\s*<[^>]+>\s*", "|", html.unescape(page.split('class="matrix"')[1]))
    return re.sub(r"\|+", " ", cells).replace("typed “", "typed “")


def test_the_cancer_is_not_supported_within_the_indication(authority: StoryDesk) -> None:
    page = authority.page("/desk/rumours/LC-0")
    assert heading(page).endswith("at least 4 patients described, 3 counted")
    text = words(page)
    assert "not supported within the indication: there no rule is met at any revision" in text
    rows = re.findall(r"(?:Jan|Feb|Apr|Nov) 20\d\d [^|]*? at least 4 \d", text)
    assert [row[-1] for row in rows] == ["0", "0", "1", "3", "4", "3"]
    assert text.count("no rule is met") >= 3


def test_numbers_are_those_of_the_alerts(authority: StoryDesk) -> None:
    alerts = [alert for alert in story(with_background=True).published if is_safety(alert)]
    for alert in alerts:
        page = authority.page(f"/desk/safety/{alert.subject}?as_of={alert.evaluated_on}")
        assert html.escape(alert.headline or "", quote=False) in page.replace("&#39;", "'")
    lot = [alert for alert in alerts if alert.subject == "EX117"][-1]
    assert f"<b>{lot.n_cases}</b>" in authority.page("/desk/safety/EX117")


def is_safety(alert: object) -> bool:
    return isinstance(alert, SafetyAlert)


@pytest.mark.parametrize(
    ("path", "day", "later"),
    [
        ("/desk/rumours/RUM-1", "2023-11-13", ("contested", "denies", "RUM-1-ICSR")),
        ("/desk/rumours/RUM-1", "2024-05-06", ("confirmed by an authority", "RUM-1-ICSR")),
        ("/desk/safety/EX117", "2019-10-14", ("NE-3", "C-B", "C-C", "2024", "FDA")),
        ("/desk/rumours/LC-0", "2024-04-01", ("nullified.", "2 Apr")),
        ("/desk/rumours", "2023-11-27", ("LC-0", "ATH-1")),
    ],
)
def test_a_page_knows_nothing_later_than_its_day(
    authority: StoryDesk, path: str, day: str, later: tuple[str, ...]
) -> None:
    text = words(authority.page(f"{path}?as_of={day}")).casefold()
    for name in later:
        assert name.casefold() not in text, name


@pytest.mark.parametrize(
    "path", ["/desk/rumours/RUM-1?as_of=2023-10-10", "/desk/safety/EX117?as_of=2019-10-08"]
)
def test_before_its_first_day_a_subject_is_unknown(authority: StoryDesk, path: str) -> None:
    authority.page(path, 404)


@pytest.mark.parametrize(
    "path", ["/desk/safety/nobody", "/desk/rumours/EX117", "/desk/rumours/ATH", "/desk/safety/C-A"]
)
def test_an_unknown_subject_is_not_found(authority: StoryDesk, path: str) -> None:
    authority.page(path, 404)


def test_rumours_are_by_state(authority: StoryDesk) -> None:
    contested = authority.page("/desk/rumours?tab=contested&as_of=2024-01-31")
    assert "/desk/rumours/RUM-1" in contested
    assert "/desk/rumours/LC-0" not in contested
    assert "/desk/rumours/RUM-1" in authority.page("/desk/rumours?tab=confirmed")


def test_overdue_answers_are_said_with_who_was_asked(tmp_path: Path) -> None:
    desk = desk_of_story(tmp_path)
    assert desk.desk.safety is not None
    record = desk.desk.safety
    asked = record.notices_on(date(2023, 10, 11))["RUM-1"][0]
    other = asked.model_copy(update={"notice_id": "R-2", "subject_id": "R-2"})
    record.add_notice(other)
    page = words(desk.page("/desk/rumours?as_of=2024-06-01"))
    assert "1 answer is overdue." in page
    assert "R-2 alleged" in page
    assert "The society 31 May 2024 overdue" in page


def test_a_consumer_sees_what_the_api_gives(consumer: StoryDesk) -> None:
    text = words(consumer.page("/desk/rumours/RUM-1"))
    assert "Counted before 7 May 2024: 0. Counted since: 1." in text
    with consumer.desk.service.model() as model:
        keys = model.keys(Tier.CONSUMER, begins="LOT_CLUSTER|")
        (code,) = [key.rpartition("|")[2] for key in keys]
    page = consumer.page(f"/desk/safety/{code}")
    for name in ("EX117", "C-A", "C-B", "NE-1", "Cases by lot", "2019-09-28", "FDA"):
        assert name not in page, name
    for path in ("/desk/rumours", "/desk/rumours/RUM-1", "/desk/rumours/LC-0"):
        page = consumer.page(path)
        for name in ("EX117", "C-T", "LC-1", "RUM-1-ICSR", "society notice", "physician's report"):
            assert name not in html.unescape(page), (path, name)
    assert "Say what was said" not in consumer.page("/desk/rumours/RUM-1")


@pytest.mark.parametrize("path", ["EX117", "C-A", "C-T", "NE-1", "RUM-1-ICSR", "ATH-1", "R-9"])
def test_a_true_name_is_unknown_below_the_authority(
    consumer: StoryDesk, public: StoryDesk, path: str
) -> None:
    for desk in (consumer, public):
        unknown = desk.client.get("/desk/safety/no-such-subject")
        answer = desk.client.get(f"/desk/safety/{path}")
        assert answer.status_code == unknown.status_code == 404
        # The page holds its own address, for the other language.
        assert answer.text.replace(path, "no-such-subject") == unknown.text


def test_the_public_sees_classes_and_months(public: StoryDesk) -> None:
    for path in ("/desk/rumours", "/desk/safety/msc-supernatant-exosome"):
        page = public.page(path)
        text, main = words(page), page.split("<main", 1)[1]
        assert not re.search(r">\d{1,2} (?:Jan|Feb|Mar|Apr|May|Oct|Nov|Dec) 20", main), path
        for name in ("RUM-1", "LC-0", "EX117", "Sepsis", "Death ", "Japan", "society"):
            assert name not in text, (path, name)
    public.page("/desk/rumours/RUM-1", 404)


def test_pages_are_in_both_languages(authority: StoryDesk) -> None:
    page = authority.page("/desk/safety/EX117?lang=ja")
    try:
        assert 'lang="ja"' in page
        assert heading(page).endswith("1ロット（EX117）、3医療機関")
        assert "他のロット" in page
    finally:
        authority.client.get("/desk/rumours?lang=en")


def token(page: str) -> str:
    return re.findall(r'name="token" value="(\w+)"', page)[-1]


@pytest.fixture
def writer(tmp_path: Path) -> StoryDesk:
    return desk_of_story(tmp_path)


PATH = "/desk/rumours/RUM-1/statements"


def kept(desk: StoryDesk) -> list[dict[str, object]]:
    path = desk.desk.service.model_path.with_name("notices.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_the_state_that_would_follow_is_named_before_anything_is_kept(writer: StoryDesk) -> None:
    form = {**STATEMENT, "token": token(writer.page("/desk/rumours/RUM-1"))}
    named = writer.client.post(PATH, data={**form, "step": "name"})
    assert named.status_code == 200
    assert "After this statement the state would be: refuted on evidence." in words(named.text)
    assert "autopsy" in named.text
    assert kept(writer) == []
    unnamed = writer.client.post(PATH, data={**form, "step": "add"})
    assert (unnamed.status_code, kept(writer)) == (409, [])
    added = writer.client.post(PATH, data={**form, "step": "add", "follows": "refuted"})
    assert added.status_code == 303
    (notice,) = kept(writer)
    assert notice["subject_id"] == "RUM-1"
    assert notice["verification"] == {
        "by": "authority",
        "verdict": Verdict.REFUTED.value,
        "evidence": "autopsy",
        "conflict_of_interest": False,
    }
    text = words(writer.page(added.headers["location"]))
    assert "The statement was added to the ledger." in text
    assert "Refutes it on evidence." in text
    assert "Confirms it." in text  # nothing is edited


def test_a_state_that_no_longer_follows_is_refused_and_the_text_is_kept(writer: StoryDesk) -> None:
    form = {
        **STATEMENT,
        "said": "denies",
        "evidence": "a letter of ours",
        "token": token(writer.page("/desk/rumours/LC-0")),
        "step": "add",
    }
    path = "/desk/rumours/LC-0/statements"
    stale = writer.client.post(path, data={**form, "follows": "refuted"})
    assert stale.status_code == 409
    assert "Another entry came first" in stale.text
    assert "a letter of ours" in stale.text
    assert "the state would be: contested" in words(stale.text)
    assert kept(writer) == []
    assert writer.client.post(path, data={**form, "follows": "contested"}).status_code == 303


def test_a_form_of_another_session_is_refused(writer: StoryDesk) -> None:
    writer.page("/desk/rumours/RUM-1")
    for wrong in ("", "0" * 64):
        answer = writer.client.post(PATH, data={**STATEMENT, "token": wrong, "step": "name"})
        assert answer.status_code == 403
    assert kept(writer) == []


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("reporter", "", "Choose who says so."),
        ("said", "shouts", "Choose what was said."),
        ("source", " ", "State where it was read or heard."),
        ("evidence", "", "A verdict must name its evidence"),
        ("received", "2024-06-11", "not in the future"),
        ("received", "soon", "not in the future"),
        ("source", "x" * 201, "At most 200 characters"),
    ],
)
def test_a_field_that_is_wrong_is_named_and_all_values_are_kept(
    writer: StoryDesk, field: str, value: str, problem: str
) -> None:
    form = {**STATEMENT, field: value, "token": token(writer.page("/desk/rumours/RUM-1"))}
    answer = writer.client.post(PATH, data={**form, "step": "name"})
    assert answer.status_code == 422
    assert problem in words(answer.text)
    assert f'aria-describedby="w-{field}"' in answer.text
    assert ("autopsy" in answer.text) is (field != "evidence")


def test_only_who_may_add_a_statement_has_the_form(
    writer: StoryDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {**STATEMENT, "token": token(writer.page("/desk/rumours/RUM-1")), "step": "name"}
    readers = frozenset(Scope) - {Scope.VERIFICATIONS_WRITE}
    monkeypatch.setattr("streams.console.frame.rendering.Scope", list(readers))
    assert "Say what was said" not in writer.page("/desk/rumours/RUM-1")
    assert writer.client.post(PATH, data=form).status_code == 403


def test_a_past_page_has_no_form(writer: StoryDesk) -> None:
    assert "Say what was said" not in writer.page("/desk/rumours/RUM-1?as_of=2024-05-20")
