"""Texts of safety alerts: the founding story word for word, and what the story does not reach."""

from datetime import date, timedelta

import pytest

from schemas.notice import (
    Assertion,
    Exposure,
    Notice,
    NoticeKind,
    Patients,
    Usage,
    Verdict,
    VerificationEvent,
)
from schemas.safety_alert import SAFETY_CAVEAT, AlertCategory, SafetyAlert
from schemas.vocabulary import ReporterKind
from streams.core.cases.domain_case import DomainCase, encode_domain_case
from streams.core.safety.monitor import SafetyMonitor
from streams.core.wording.catalogue import Language
from streams.core.wording.safety_text import safety_texts
from tests.support.alerts import AS_OF
from tests.support.replays import founding_case, replayed
from tests.support.safety_histories import make_case
from tests.support.safety_wording import check_safety_texts

X = "exosomes or stem-cell culture supernatant"
NOTICE = "Notice RUM-1, received 2023-10-11; Japan."
DENIED = (
    "Statements: the institution denied it (2023-11-14); "
    "the ministry does not know its source (2023-11-14)"
)
SERIES = "Series LC-0, first described 2023-11-28; Japan; not verified."
WITHIN = "Case reports count within the series, never on top of it."
TREATED = "The event may be the condition treated."
RULE = "Rule met: 2 serious infections of one lot within 30 days."
STIMULATED = (
    "received after an authority first acted on this product class, "
    "so reporting may have been stimulated"
)
# Source: worked examples 20 to 30 of the reference on wording, written by hand from the story.
EXAMPLES = {
    ("LOT_CLUSTER", 1): f"Sepsis after {X}, lot EX117: cluster of 2 serious cases. "
    "Onset or receipt 2019-10-07 to 2019-10-09; 1 facility (C-A); United States. "
    f"2 of 2 reported by a health professional. {RULE}",
    ("LOT_CLUSTER", 3): f"Sepsis after {X}, lot EX117: 1 more case. 4 serious cases, up from 3; "
    "3 facilities (C-A, C-B, C-C), up from 2; onset or receipt 2019-09-28 to 2019-10-15; "
    "United States. 4 of 4 reported by a health professional. At least one case was received more "
    f"than 90 days after onset; at least one case was {STIMULATED}. {RULE}",
    ("UNVERIFIED_FATAL", 1): f"Death after {X}: alleged, not confirmed. {NOTICE} "
    "No case report confirms it, and it enters no count.",
    ("UNVERIFIED_FATAL", 2): f"Death after {X}: contested. {NOTICE} {DENIED}. "
    "It is neither confirmed nor refuted and enters no count.",
    ("UNVERIFIED_FATAL", 3): f"Death after {X}: confirmed by an authority. {NOTICE} {DENIED}; "
    "the ministry confirmed it (2024-05-07). This rumour alert ends here. "
    "Case RUM-1-ICSR is followed as FATAL_CASE.",
    ("CASE_SERIES", 1): f"Malignant neoplasm progression after {X}: series of at least 4 patients, "
    f"none with a valid case report. {SERIES} {WITHIN} {TREATED}",
    ("CASE_SERIES", 5): f"Malignant neoplasm progression after {X}: series of at least 4 patients, "
    f"3 with a valid case report, down from 4. {SERIES} "
    f"2 of 3 reported by a health professional. {WITHIN} {TREATED}",
    ("ONGOING_EXPOSURE", 1): "Exosomes or stem-cell culture supernatant reportedly still being "
    "given, against the advice of an outside oncologist. Series LC-0, first described 2023-11-28; "
    f"Japan; Malignant neoplasm progression; not verified. {TREATED}",
    ("FATAL_CASE", 1): f"Death after {X}: fatal case RUM-1-ICSR. Onset or receipt 2024-05-07; "
    "Japan; reported by a health professional. Part of RUM-1. Every fatal case of a watched class "
    "is published, whatever the statistics. "
    f"The report states no lot and was {STIMULATED}.",
}
REFUTED = (
    f"Death after {X}: refuted on evidence by the ministry (2024-05-07). {NOTICE} {DENIED}. "
    "This rumour alert ends here."
)
GIVEN = (
    "Exosomes or stem-cell culture supernatant given to an athlete: 250 mL within 12 hours, limit "
    "100 mL. Setting not stated, so an exemption cannot be excluded; required records not stated; "
    "not an approved drug within its indication. No adverse event is part of this alert.",
    "Exosomes or stem-cell culture supernatant given to an athlete: 80 mL within 12 hours, within "
    "the limit of 100 mL. Required records not stated; not an approved drug within its "
    "indication. No adverse event is part of this alert.",
)
JAPANESE = {
    ("LOT_CLUSTER", 1): (
        "Sepsis／エクソソーム又は幹細胞培養上清、ロットEX117："
        "同一ロットの重篤症例2例の集積。"
        "発現日又は受領日2019-10-07～2019-10-09、1医療機関（C-A）、米国。"
        "2例中2例が医薬関係者からの報告。"
        "該当した基準：同一ロットで30日以内に重篤な感染症2例。"
    ),
    ("UNVERIFIED_FATAL", 2): (
        "Death／エクソソーム又は幹細胞培養上清：真偽不明（異議あり）。"
        "情報RUM-1、受領日2023-10-11、日本。"
        "表明：当該施設は否定（2023-11-14）、行政当局は情報源を把握せず（2023-11-14）。"
        "確認も否定もされておらず、集計には含めていない。"
    ),
    ("UNVERIFIED_FATAL", 3): (
        "Death／エクソソーム又は幹細胞培養上清：行政当局により確認。"
        "情報RUM-1、受領日2023-10-11、日本。"
        "表明：当該施設は否定（2023-11-14）、行政当局は情報源を把握せず（2023-11-14）、"
        "行政当局が確認（2024-05-07）。未確認情報としての本件は終了。"
        "症例RUM-1-ICSRは死亡症例として継続。"
    ),
    ("CASE_SERIES", 1): (
        "Malignant neoplasm progression／エクソソーム又は幹細胞培養上清："
        "少なくとも4例の症例集積、うち有効な症例報告なし。"
        "集積LC-0、初回情報2023-11-28、日本、未検証。"
        "症例報告は集積の内数であり、加算しない。"
        "当該事象は治療対象疾患である可能性がある。"
    ),
    ("ONGOING_EXPOSURE", 1): (
        "エクソソーム又は幹細胞培養上清：外部の腫瘍専門医の中止勧告後も投与継続との情報。"
        "集積LC-0、初回情報2023-11-28、日本、Malignant neoplasm progression、未検証。"
        "当該事象は治療対象疾患である可能性がある。"
    ),
}


@pytest.fixture(scope="module")
def story() -> list[SafetyAlert]:
    reports, notices = founding_case()
    return replayed(reports, notices=notices).safety_alerts


def test_the_story_reads_as_the_examples(story: list[SafetyAlert]) -> None:
    told = {(alert.category.value, alert.revision): alert for alert in story}
    assert {key: told[key].sentence for key in EXAMPLES} == EXAMPLES
    given = {alert.sentence for alert in story if alert.category is AlertCategory.USAGE_RULE}
    assert given == set(GIVEN)
    assert {alert.caveat for alert in story} == {SAFETY_CAVEAT}
    assert told["LOT_CLUSTER", 3].reason == "cases 3 to 4; facilities 2 to 3"
    assert told["UNVERIFIED_FATAL", 2].reason == (
        "now contested; statements of the institution and the ministry"
    )
    assert told["UNVERIFIED_FATAL", 3].reason == "settled: confirmed by an authority"


def test_the_story_in_japanese(story: list[SafetyAlert]) -> None:
    """Terms stay as coded; the reference's examples translate them by a licensed dictionary."""
    told = {(alert.category.value, alert.revision): alert for alert in story}
    made = {key: safety_texts(told[key], Language.JAPANESE).sentence for key in JAPANESE}
    assert made == JAPANESE


def test_a_rumour_that_is_refuted_says_by_whom_and_on_which_day() -> None:
    reports, notices = founding_case(refuted=True)
    alerts = replayed(reports, notices=notices).safety_alerts
    (end,) = [alert for alert in alerts if alert.kind == "closed"]
    assert end.sentence == REFUTED


DAY = date(2024, 3, 1)


class World:
    """A monitor on one day after another."""

    def __init__(self) -> None:
        self.monitor, self.day = SafetyMonitor(), DAY

    def next(
        self,
        *cases: DomainCase,
        gone: tuple[DomainCase, ...] = (),
        notices: tuple[Notice, ...] = (),
    ) -> list[SafetyAlert]:
        """Return the revisions of the next day, each checked against every rule of texts."""
        self.day += timedelta(days=1)
        self.monitor.count([(encode_domain_case(case), -1) for case in gone])
        self.monitor.count([(encode_domain_case(case), +1) for case in cases])
        for notice in notices:
            self.monitor.apply_notice(notice.model_copy(update={"received": self.day}))
        alerts = self.monitor.evaluate(self.day, AS_OF)
        for alert in alerts:
            check_safety_texts(alert)
        return alerts


def note(number: str, kind: NoticeKind, **fields: object) -> Notice:
    values = {
        "notice_id": number,
        "subject_id": "R-1",
        "kind": kind,
        "received": DAY,
        "source": "press",
        "product_class": "cell-product",
        "country": "JP",
    }
    return Notice.model_validate({**values, **fields})


def said(number: str, by: str, **fields: object) -> Notice:
    event = VerificationEvent.model_validate({"by": by, "evidence": "records", **fields})
    return note(number, NoticeKind.VERIFICATION, verification=event)


A, B, C = (make_case(name, DAY, lots=["L1"]) for name in ("NE-1", "NE-2", "NE-3"))
HEAD = f"Sepsis after {X}, lot L1: "


def test_a_cluster_ends_with_what_is_left_and_is_met_again() -> None:
    world = World()
    assert world.next(A, B)[0].headline == f"{HEAD}cluster of 2 serious cases"
    (end,) = world.next(gone=(B,))
    assert end.sentence == (
        f"{HEAD}cluster withdrawn after 1 case was withdrawn; 1 case is left. "
        "Rule no longer met: 2 serious infections of one lot within 30 days."
    )
    assert (end.case_ids, end.n_cases, end.reason) == (("NE-1",), 1, "cases 2 to 1")
    (again,) = world.next(B)
    assert again.headline == f"{HEAD}cluster met again, 2 serious cases"
    assert (again.reason, again.kind) == ("met again", "strengthened")
    assert "up from" not in again.sentence
    (end,) = world.next(gone=(A, B))
    assert end.headline == f"{HEAD}cluster withdrawn after 2 cases were withdrawn; no case is left"
    assert (end.case_ids, end.lots, end.first_day) == ((), (), None)


def test_fewer_cases_and_other_facts_of_a_cluster_say_so() -> None:
    world = World()
    world.next(A, B, C)
    (fewer,) = world.next(gone=(C,))
    assert fewer.headline == f"{HEAD}1 case fewer"
    assert "2 serious cases, down from 3; onset" in fewer.sentence
    by_patient = make_case("NE-2", DAY, lots=["L1"], by_professional=False)
    (other,) = world.next(by_patient, gone=(B,))
    assert other.headline == f"{HEAD}changed facts (reporters)"
    assert (other.kind, other.reason) == ("update", "reporters")
    other_day = make_case("NE-2", DAY + timedelta(days=2), lots=["L1"], by_professional=False)
    (moved,) = world.next(other_day, gone=(by_patient,))
    assert moved.reason == "days of onset or receipt"
    (swapped,) = world.next(C, gone=(other_day,))
    assert swapped.headline == f"{HEAD}changed facts (other cases, still 2; other facts)"
    assert swapped.reason == "other cases, still 2"


def test_many_names_are_counted_and_not_listed() -> None:
    terms = ["Sepsis", "Septic shock", "Systemic inflammatory response syndrome", "Chills", "Fever"]
    cases = [
        make_case(f"M{n}", DAY, lots=["L1"], terms=terms, country=place, facilities=[f"C-{n}"])
        for n, place in enumerate(("US", "JP", "KR", "DE", "BR"))
    ]
    (alert,) = World().next(*cases)
    assert str(alert.headline).startswith("Chills, Fever, Sepsis and 2 other terms after")
    assert "5 facilities (C-0, C-1, C-2, C-3 and 1 other); 5 countries." in alert.sentence


def test_a_fatal_case_that_changes_and_is_withdrawn() -> None:
    world = World()
    death = make_case("NE-9", DAY, fatal=True, lots=["L1"])
    (new,) = world.next(death)
    assert str(new.headline).endswith("fatal case NE-9")
    second = make_case("NE-9", DAY, fatal=True, lots=["L2"], country="KR")
    (changed,) = world.next(second, gone=(death,))
    assert str(changed.headline).endswith(
        "fatal case NE-9, changed facts (other lots, still 1; other facts)"
    )
    assert changed.reason == "other lots, still 1; countries"
    (alive,) = world.next(make_case("NE-9", DAY, lots=["L2"]), gone=(second,))
    assert str(alive.headline).endswith("fatal case NE-9 withdrawn: no longer fatal")
    assert (alive.n_fatal, alive.case_ids, alive.kind) == (0, ("NE-9",), "retraction")
    (again,) = world.next(second, gone=(make_case("NE-9", DAY, lots=["L2"]),))
    assert str(again.headline).endswith("fatal case NE-9, counted again")
    (end,) = world.next(gone=(second,))
    assert str(end.headline).endswith(
        "fatal case NE-9 withdrawn: nullified, merged into another case or amended"
    )


def test_a_rumour_with_a_fatal_case_never_says_that_no_report_confirms_it() -> None:
    world = World()
    rumour = note("1", NoticeKind.SAFETY_NOTICE, fatal=True)
    (new,) = world.next(notices=(rumour,))
    assert new.sentence.startswith("Death after living cells: alleged, not confirmed.")
    world.next(make_case("NE-9", DAY, fatal=True, part_of=["R-1"]))
    assert world.next(notices=(note("2", NoticeKind.MEDIA, fatal=True),)) == []
    affirmed = said("3", "society", assertion=Assertion.AFFIRMS)
    (second,) = world.next(notices=(affirmed,))
    assert second.reason == "statement of the society"
    assert (
        "Japan; 2 sources. Statements: the society affirmed it (2024-03-05). No verdict confirms "
        "it, and the rumour itself enters no count." in second.sentence
    )
    assert second.sentence.endswith("Case NE-9 is followed as FATAL_CASE.")
    assert second.fatal_case_ids == ("NE-9",)


def test_the_latest_statements_stand_for_many() -> None:
    world = World()
    world.next(notices=(note("1", NoticeKind.SAFETY_NOTICE, fatal=True),))
    by = ("ministry", "clinic", "coroner", "PMDA")
    many = [said(f"V{n}", role, assertion=Assertion.AFFIRMS) for n, role in enumerate(by)]
    (alert,) = world.next(notices=tuple(many))
    assert (
        "Latest 3 of 4 statements: the institution affirmed it (2024-03-03); the coroner affirmed "
        "it (2024-03-03); PMDA affirmed it (2024-03-03)." in alert.sentence
    )
    (end,) = world.next(notices=(said("V9", "ministry", verdict=Verdict.UNRESOLVABLE),))
    assert str(end.headline).endswith(
        "cannot be resolved: verdict of the ministry (2024-03-04), neither confirmed nor refuted"
    )


@pytest.mark.parametrize(
    ("reporter", "words"),
    [
        (ReporterKind.AUTHORITY, "confirmed by an authority"),
        (ReporterKind.PHARMACIST, "confirmed by a health professional"),
        (ReporterKind.CLINIC, "confirmed by a valid case report"),
    ],
)
def test_a_confirmed_rumour_says_by_whom(reporter: ReporterKind, words: str) -> None:
    world = World()
    world.next(notices=(note("1", NoticeKind.SAFETY_NOTICE, fatal=True),))
    verdict = said("2", "somebody", verdict=Verdict.CONFIRMED)
    (end,) = world.next(notices=(verdict.model_copy(update={"reporter": reporter}),))
    assert end.headline == f"Death after living cells: {words}"


def test_a_series_that_changes_is_refuted_and_says_by_whom() -> None:
    world = World()
    series = note("1", NoticeKind.AGGREGATE, terms=("Rash",), patients=Patients(at_least=2))
    world.next(notices=(series,))
    exact = Patients(at_least=3, at_most=3)
    (more,) = world.next(notices=(note("2", NoticeKind.AGGREGATE, patients=exact),))
    head = "Rash after living cells: series of 3 patients"
    assert more.headline == f"{head}, up from 2, none with a valid case report"
    assert (more.reason, more.kind) == ("patients 2 to 3", "strengthened")
    (denied,) = world.next(notices=(said("3", "clinic", assertion=Assertion.DENIES),))
    assert denied.headline == f"{head}, changed facts (now contested; other facts)"
    assert "Japan; contested. Statements: the institution denied it" in denied.sentence
    (end,) = world.next(notices=(said("4", "ministry", verdict=Verdict.REFUTED),))
    assert end.headline == (
        "Rash after living cells: series refuted on evidence by the ministry (2024-03-05)"
    )
    assert end.sentence.endswith("This series alert ends here.")


def test_an_exposure_that_ends_and_goes_on_again() -> None:
    world = World()
    ongoing = note("1", NoticeKind.AMENDMENT, exposure=Exposure(ongoing=True))
    (new,) = world.next(notices=(ongoing,))
    assert new.headline == "Living cells reportedly still being given"
    assert new.sentence.endswith("Notice R-1, received 2024-03-02; Japan; not confirmed.")
    advised = Exposure(ongoing=True, discontinuation_advised_by="physician")
    (changed,) = world.next(notices=(note("2", NoticeKind.AMENDMENT, exposure=advised),))
    assert str(changed.headline).endswith("given, against the advice of a physician")
    assert changed.reason == "advice to stop"
    ended = note("3", NoticeKind.AMENDMENT, exposure=Exposure(ongoing=False))
    (end,) = world.next(notices=(ended,))
    assert end.headline == "Living cells: exposure reported to have ended"
    assert "not confirmed" not in end.sentence
    again = note("4", NoticeKind.AMENDMENT, exposure=Exposure(ongoing=True))
    (back,) = world.next(notices=(again,))
    assert back.headline == (
        "Living cells again reportedly still being given, against the advice of a physician"
    )


def test_an_answer_is_overdue_received_and_overdue_again() -> None:
    world = World()
    asked = note("1", NoticeKind.FOLLOW_UP, followup_due=DAY + timedelta(days=1))
    assert world.next(notices=(asked,)) == []
    (new,) = world.next()
    assert new.headline == "R-1: answer overdue since 2024-03-03, asked for by 2024-03-02"
    (end,) = world.next(notices=(note("2", NoticeKind.FOLLOW_UP, followup_closed=True),))
    assert end.sentence == (
        "R-1: answer received (2024-03-04). Events after living cells; Japan. "
        "This request ends here."
    )
    assert (end.kind, end.ended_on) == ("closed", date(2024, 3, 4))
    world.next(notices=(note("3", NoticeKind.FOLLOW_UP, followup_due=DAY + timedelta(days=4)),))
    (again,) = world.next()
    assert again.headline == "R-1: answer overdue again since 2024-03-06, asked for by 2024-03-05"


@pytest.mark.parametrize(
    ("usage", "headline"),
    [
        ({"volume_ml": 100.00001}, "a person who may be an athlete: 100.00001 mL within 12 hours"),
        ({"volume_ml": 1500.0, "athlete": True}, "an athlete: 1,500 mL within 12 hours"),
    ],
)
def test_a_volume_prints_on_its_side_of_the_limit(usage: dict[str, object], headline: str) -> None:
    given = Usage.model_validate({"person": "P", "route": "intravenous", "setting": "x"} | usage)
    (alert,) = World().next(notices=(note("1", NoticeKind.USAGE, usage=(given,)),))
    assert alert.headline == f"Living cells given to {headline}, limit 100 mL"
    assert "Above the limit, no exemption; " in alert.sentence
