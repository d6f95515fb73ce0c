"""Bursts, pairs whose event is what was treated, and pairs that another product explains."""

import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from detectors.rules import RuleSet, load_rules
from schemas.alert import Alert, SignalLevel
from schemas.notice import Notice, NoticeKind
from schemas.vocabulary import ReporterKind
from streams.core.alerts.case_sources import Origins
from streams.core.alerts.indications import Indications, groups_of_event, groups_of_indications
from streams.core.counting.vocabulary import Vocabulary
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.demo import PRODUCT_CLASS
from tests.support.deltas import EPOCH, case_change, make_delta

DAY = 19_782  # 2024-02-29
LAY, PROFESSIONAL = "US\x1f\x1f", "US\x1fp\x1f"
NO_SENDER, NO_SENDER_PROFESSIONAL = "US\x1fu\x1f", "US\x1fpu\x1f"
ANY = """
any_case = { title = "any", source = "test", all = [
    { statistic = "n_observed", op = ">=", value = 1 },
] }
"""


@pytest.fixture(scope="module")
def any_case(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    path = tmp_path_factory.mktemp("rules") / "any.toml"
    path.write_text(ANY, encoding="utf-8")
    return load_rules(path)


class Fed:
    """A detector that is given cases one kind at a time."""

    def __init__(self, rules: RuleSet, window: str = "cumulative") -> None:
        self.detector = Detector([WindowSpec.parse(window)], rules)
        self.offset = 0

    def cases(
        self,
        number: int,
        *,
        origin: str = LAY + "A",
        drug: str = "zinc",
        event: str = "Rash",
        beside: Sequence[str] = (),
        indications: str = "",
        day: int = DAY,
        n: int = 1,
        first: int | None = None,
    ) -> "Fed":
        start = self.offset if first is None else first
        received = EPOCH + timedelta(days=day)
        said = {"origin": origin, "indications": indications, "completeness": 50}
        changes = [
            case_change(
                f"C{at}", day=received, drugs=sorted([drug, *beside]), events=[event], n=n, **said
            )
            for at in range(start, start + number)
        ]
        self.detector.apply(make_delta(self.offset, changes))
        self.offset += number
        return self

    def alert(self, day: int = DAY, drug: str = "zinc", event: str = "Rash") -> Alert:
        """Return what would be said of a pair if nothing had been published."""
        self.detector.signals.clear()
        alerts = self.detector.evaluate(day)
        return next(a for a in alerts if (a.drug, a.event) == (drug, event))


def _burst(alert: Alert) -> tuple[Any, ...] | None:
    burst = alert.burst
    return burst and (burst.source, burst.received.day, burst.n_cases, burst.n_by_professional)


def test_a_burst_is_ten_cases_and_half_of_the_pair_of_one_source_on_one_day(
    any_case: RuleSet,
) -> None:
    fed = Fed(any_case).cases(9)
    assert _burst(fed.alert()) is None
    assert _burst(fed.cases(1, origin=PROFESSIONAL + "A").alert()) == ("A", 29, 10, 1)
    assert _burst(fed.cases(10, origin=LAY + "B", day=DAY + 1).alert(DAY + 1)) == ("A", 29, 10, 1)
    assert _burst(fed.cases(1, origin=LAY + "C").alert(DAY + 1)) is None
    assert _burst(fed.cases(1, origin=LAY + "B", day=DAY + 1).alert(DAY + 1)) == ("B", 1, 11, 0)


def test_of_two_bursts_of_one_size_the_name_decides_and_not_which_was_heard_first(
    any_case: RuleSet,
) -> None:
    for first, second in ("AB", "BA"):
        fed = Fed(any_case).cases(10, origin=LAY + first).cases(10, origin=LAY + second)
        assert _burst(fed.alert()) == ("A", 29, 10, 0)


def test_neither_a_source_nor_its_burst_is_split_by_dictionary_version(any_case: RuleSet) -> None:
    fed = Fed(any_case).cases(5, origin=LAY + "A\x1fMedDRA 27.0")
    fed.cases(4, origin=LAY + "A\x1fMedDRA 26.1\x1fWHO-ART").cases(3, origin=PROFESSIONAL + "A")
    alert = fed.alert()
    assert _burst(alert) == ("A", 29, 12, 3)
    assert (alert.n_sources, alert.countries) == (1, ("US",))
    assert alert.dictionary_versions == ("MedDRA 26.1", "MedDRA 27.0", "WHO-ART")
    assert fed.cases(1, drug="iron").alert(drug="iron").dictionary_versions == ()


def test_a_burst_goes_with_its_cases_and_survives_a_restart(any_case: RuleSet) -> None:
    fed = Fed(any_case).cases(12).cases(3, origin=LAY + "B", day=DAY - 1)
    alert = fed.alert()
    assert (alert.n_sources, _burst(alert)) == (2, ("A", 29, 12, 0))
    again = Fed(any_case)
    again.detector.restore(*fed.detector.snapshot())
    assert again.alert() == alert
    fed.cases(3, n=-1, first=0)
    fewer = fed.alert()
    assert (fewer.counts.n_observed, _burst(fewer)) == (12, None)


def test_without_a_burst_that_is_all_there_is_nothing_fires(any_case: RuleSet) -> None:
    alert = Fed(any_case).cases(10).alert()
    assert alert.burst is not None
    assert set(alert.burst.counts_without.model_dump().values()) == {0}
    assert alert.burst.rules_without == ()
    assert alert.sentence.endswith(
        "All 10 cases were received on 2024-02-29 from one sender; without them no rule is met."
    )


def test_a_burst_without_a_sender_is_said_to_be_of_a_system(any_case: RuleSet) -> None:
    fed = Fed(any_case).cases(9, origin=NO_SENDER + "A")
    assert fed.cases(1, origin=LAY + "A").alert().burst is None  # a sender of the system's name
    alert = fed.cases(3, origin=NO_SENDER_PROFESSIONAL + "A").alert()
    assert (alert.n_sources, alert.n_by_professional) == (2, 3)
    assert alert.burst is not None
    assert (_burst(alert), alert.burst.sender_stated) == (("A", 29, 12, 3), False)
    assert alert.sentence.endswith(
        "12 of the 13 cases were received on 2024-02-29 in a database that does not name senders; "
        "without them these rules are met: any."
    )


def test_of_a_system_and_a_sender_of_one_name_and_size_the_system_is_the_burst(
    any_case: RuleSet,
) -> None:
    for first, second in ((LAY, NO_SENDER), (NO_SENDER, LAY)):
        fed = Fed(any_case).cases(10, origin=first + "A").cases(10, origin=second + "A")
        burst = fed.alert().burst
        assert burst is not None
        assert (burst.n_cases, burst.sender_stated) == (10, False)


def test_a_rule_of_the_anytime_valid_test_is_not_asked_of_a_part() -> None:
    fed = Fed(load_rules(["safe", "mhra"]))
    for back in range(9, -1, -1):
        fed.cases(3, day=DAY - back).cases(300, drug="iron", event="Fever", day=DAY - back)
    fed.cases(40, origin=LAY + "B")
    alert = fed.alert()
    assert alert.rules_fired == ("mhra", "safe")
    assert alert.burst is not None
    assert alert.burst.rules_without == ("mhra",)
    assert alert.burst.rules_not_asked == ("safe",)
    assert alert.sentence.endswith("these rules are met: MHRA (sequential test not evaluated).")


CANCER, PROGRESSION = "Lung cancer stage IV", "Malignant neoplasm progression"


def _treated(rules: RuleSet, window: str = "cumulative") -> Fed:
    """5 of 7 progressions of zinc in cancer; 20 of 40 cases of cancer that are of iron progress."""
    fed = Fed(rules, window)
    fed.cases(5, event=PROGRESSION, indications=CANCER).cases(2, event=PROGRESSION)
    fed.cases(3, indications=f"Acne\x1f{CANCER}").cases(10, indications="Acne").cases(7)
    fed.cases(20, drug="iron", event=PROGRESSION, indications="Breast cancer")
    fed.cases(20, drug="iron", indications="Breast cancer")
    return fed.cases(900, drug="iron", indications="Pain")


def test_the_restricted_table_is_of_the_cases_of_that_group(any_case: RuleSet) -> None:
    alert = _treated(any_case).alert(event=PROGRESSION)
    restricted = alert.restricted
    assert alert.indication_confounding
    assert restricted is not None
    assert restricted.indication == "cancer"
    assert restricted.n_stating == 5
    assert list(restricted.counts.model_dump().values()) == [5, 8, 25, 48]
    # 5 x 20 / (3 x 20), by hand.
    assert restricted.statistics.ror == pytest.approx(5 / 3, rel=1e-12)
    assert restricted.rules_fired == ("any_case",)
    assert alert.sentence.endswith(
        "The event may be the condition treated: among the 48 cases with that indication (cancer) "
        "there are 5, ROR 1.67 (95% CI 0.350 to 7.93), and a rule is met."
    )


def test_a_window_restricts_to_its_own_days(any_case: RuleSet) -> None:
    fed = _treated(any_case, "sliding:3")
    fed.cases(6, event=PROGRESSION, indications=CANCER, day=DAY - 3)
    fed.cases(1, event=PROGRESSION, indications=CANCER, day=DAY - 2)
    fed.cases(4, drug="iron", indications=CANCER, day=DAY + 1)
    restricted = fed.alert(event=PROGRESSION).restricted
    assert restricted is not None
    assert list(restricted.counts.model_dump().values()) == [6, 9, 26, 49]


@pytest.mark.parametrize(("number", "confounded"), [(4, True), (5, True), (6, False)])
def test_at_least_half_of_those_that_state_an_indication(
    any_case: RuleSet, number: int, confounded: bool
) -> None:
    fed = Fed(any_case).cases(5, event=PROGRESSION, indications=CANCER)
    fed.cases(90, event=PROGRESSION).cases(number, event=PROGRESSION, indications="Acne")
    alert = fed.alert(event=PROGRESSION)
    assert (alert.indication_confounding, alert.restricted is not None) == (confounded, confounded)


@pytest.mark.parametrize(
    ("event", "indications", "shared"),
    [
        ("Rash", "", []),
        ("Rash", "Acne", []),
        ("Rash", "RASH", ["rash"]),
        ("Sepsis", CANCER, []),
        (PROGRESSION, CANCER, ["cancer"]),
        (PROGRESSION, "Acne\x1fBreast cancer\x1fPain", ["cancer"]),
        ("Alopecia", "hair regrowth", ["hair-loss"]),
        ("Alopecia", "Alopecia", ["alopecia", "hair-loss"]),
    ],
)
def test_an_event_is_what_was_treated_by_name_or_by_group(
    event: str, indications: str, shared: list[str]
) -> None:
    assert sorted(groups_of_event(event) & groups_of_indications(indications)) == shared
    assert sorted(Indications(Vocabulary([indications])).shared(event, 0)) == shared


def test_tables_of_codes_grow_with_their_vocabularies() -> None:
    names = Vocabulary(["Acne", CANCER])
    indications = Indications(names)
    assert indications.of_groups({"cancer"}).tolist() == [False, True]
    names.learn([f"Pain\x1f{CANCER}", "Pain"])
    assert indications.of_groups({"cancer"}).tolist() == [False, True, True, False]
    assert indications.of_groups({"cancer", "acne"}).tolist() == [True, True, True, False]
    texts = Vocabulary([LAY + "A"])
    origins = Origins(texts)
    assert origins.parts.rows() == [(0, False, "US", None)]
    texts.learn(["\x1fp\x1fB\x1fX 1\x1fX 2", PROFESSIONAL + "A"])
    assert origins.parts.rows()[1:] == [(1, True, None, "X 1\x1fX 2"), (0, True, "US", None)]
    assert list(origins.sources) == [("A", True), ("B", True)]
    texts.learn([NO_SENDER + "A", NO_SENDER_PROFESSIONAL + "A"])
    assert origins.parts.rows()[3:] == [(2, False, "US", None), (2, True, "US", None)]
    assert list(origins.sources)[2:] == [("A", False)]


def test_cases_after_an_authority_acted_are_told_apart(any_case: RuleSet) -> None:
    fed = Fed(any_case).cases(3, drug=PRODUCT_CLASS).cases(2)
    fed.cases(2, drug=PRODUCT_CLASS, day=DAY + 2)
    assert fed.alert(DAY + 2, PRODUCT_CLASS).n_post_notice is None
    for received in (date(2024, 2, 29), date(2024, 3, 4)):
        fed.detector.safety.apply_notice(
            Notice(
                notice_id=f"FDA {received}",
                subject_id="FDA",
                kind=NoticeKind.REGULATORY_ACTION,
                received=received,
                reporter=ReporterKind.AUTHORITY,
                product_class="extracellular-vesicles",
                source="FDA",
                authority="FDA",
            )
        )
    fed.cases(1, drug=PRODUCT_CLASS)
    assert fed.alert(DAY + 2, PRODUCT_CLASS).n_post_notice == 2
    fed.cases(1)
    assert fed.alert(DAY + 2).n_post_notice is None


def _with_bystander(fed: Fed) -> Fed:
    """Feed 30 cases of a culprit, and 8 of a bystander, of which 6 name the culprit too."""
    fed.cases(2_000, drug="iron", event="Ache").cases(200, drug="zinc", event="Ache")
    fed.cases(20, drug="iron", event="Rash")
    fed.cases(24, drug="Culprit", event="Rash").cases(100, drug="Culprit", event="Ache")
    fed.cases(26, drug="zinc", event="Ache", beside=["Culprit"])
    fed.cases(6, drug="zinc", event="Rash", beside=["Culprit"])
    return fed.cases(2, drug="zinc", event="Rash")


def test_a_bystander_is_explained_by_the_product_that_its_cases_name(any_case: RuleSet) -> None:
    alerts = _with_bystander(Fed(any_case)).detector.evaluate(DAY)
    of_rash = {alert.drug: alert for alert in alerts if alert.event == "Rash"}
    (culprit,) = of_rash["zinc"].explained_by or ()
    assert (culprit.product, culprit.n_shared, culprit.share) == ("Culprit", 6, 0.75)
    assert culprit.counts_without.model_dump() == {
        "n_observed": 2,
        "n_drug": 202,
        "n_event": 22,
        "n_total": 2_222,
    }
    assert culprit.expected_without == 202 * 22 / 2_222
    assert culprit.ic_without == math.log2(2.5 / 2.5)
    assert culprit.ic_lower_without < 0
    assert of_rash["Culprit"].explained_by == of_rash["iron"].explained_by == ()
    priority = of_rash["zinc"].priority
    assert priority is not None
    assert priority.parts["explained"] == 0.75


def test_cases_that_left_explain_nothing(any_case: RuleSet) -> None:
    """The six cases that name both are retracted, and come back without the culprit."""
    fed = _with_bystander(Fed(any_case))
    first = fed.offset - 8
    fed.cases(6, drug="zinc", event="Rash", beside=["Culprit"], n=-1, first=first)
    fed.cases(6, drug="zinc", event="Rash", first=first)
    assert fed.alert().explained_by == ()


def test_a_window_is_explained_by_the_cases_of_its_days(any_case: RuleSet) -> None:
    fed = _with_bystander(Fed(any_case, "month"))
    later = DAY + 10
    fed.cases(5, drug="zinc", event="Rash", day=later).cases(
        50, drug="iron", event="Ache", day=later
    )
    fed.detector.signals.clear()
    found = {
        alert.window.label: alert.explained_by
        for alert in fed.detector.evaluate(later)
        if (alert.drug, alert.event) == ("zinc", "Rash")
    }
    assert [one.product for one in found["2024-02"] or ()] == ["Culprit"]
    assert found["2024-03"] == ()


def test_a_signal_that_is_off_and_levels_are_not_asked(any_case: RuleSet) -> None:
    fed = Fed(any_case).cases(4, drug="lot:X1", beside=["zinc"]).cases(3)
    alerts = {alert.level: alert for alert in fed.detector.evaluate(DAY)}
    assert alerts[SignalLevel.LOT].explained_by is None
    assert alerts[SignalLevel.PRODUCT].explained_by == ()  # a lot explains no product
    fed.cases(3, n=-1, first=4).cases(4, drug="lot:X1", beside=["zinc"], n=-1, first=0)
    ended = {alert.level: alert for alert in fed.detector.evaluate(DAY)}[SignalLevel.PRODUCT]
    assert (ended.rules_fired, ended.explained_by) == ((), None)


def test_a_class_explains_no_product(any_case: RuleSet) -> None:
    """The culprit's cases count for its class as well, which is named as often."""
    fed = Fed(any_case)
    fed.cases(2_000, drug="iron", event="Ache").cases(200, drug="zinc", event="Ache")
    fed.cases(20, drug="iron", event="Rash").cases(2, drug="zinc", event="Rash")
    fed.cases(24, drug=PRODUCT_CLASS, event="Rash").cases(100, drug=PRODUCT_CLASS, event="Ache")
    fed.cases(26, drug="zinc", event="Ache", beside=[PRODUCT_CLASS])
    fed.cases(6, drug="zinc", event="Rash", beside=[PRODUCT_CLASS])
    alerts = fed.detector.evaluate(DAY)
    of_rash = {a.signal_key.split("|")[0]: a.explained_by for a in alerts if a.event == "Rash"}
    assert of_rash["zinc"] == ()
    assert of_rash[PRODUCT_CLASS] is None
