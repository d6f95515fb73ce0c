"""Texts of signals, word for word as the reference of the wording has them.

The alerts hold the numbers that the reference prints, so each text is its own oracle's.
"""

from datetime import date
from typing import Any

import pytest

from schemas.alert import Alert, AlertKind, AlertReason
from schemas.alert_reason import SignalGrade
from schemas.decision import Assessment, SignalState
from schemas.subscription import Tier
from streams.core.wording.catalogue import Language
from streams.core.wording.signal_copies import public_signal_texts
from streams.core.wording.signal_text import signal_texts
from tests.support.alerts import NOW
from tests.support.worded_alerts import (
    GUILLAIN_BARRE,
    HYPOVENTILATION,
    INSOMNIA,
    PROGRESSION,
    SIDS,
    STARING,
    STUPOR,
    UVEITIS,
    VASODILATATION,
    VOMITING,
    WEAKNESS,
)
from tests.support.wording_rules import broken_rules

STRATA = "stratified by age group, sex and region"
ENGLISH = [
    (
        VASODILATATION,
        "Vasodilatation with oral polio vaccine (OPV): more cases. 866 cases (5 fatal), 887 "
        f"expected (792 {STRATA}). There is an excess only within the strata. ROR 0.964 (95% CI "
        "0.888 to 1.05); IC -0.03 (IC025 -0.13). Since revision 3 (1993-03-11): cases up from 576 "
        "to 866, IC025 down from 0.01 to -0.13, lower bound of the ROR down from 1.04 to 0.888. "
        "Still on, below the threshold but not past the exit: EMA, IC025.",
    ),
    (
        VOMITING,
        "Vomiting with typhoid vaccine (TYP): a rule no longer met (IC025); first case under 18 "
        f"years. 19 cases, 14 expected (9.2 {STRATA}). ROR 1.43 (95% CI 0.886 to 2.30); IC 0.45 "
        "(IC025 -0.27). Since revision 4 (1992-02-24): cases up from 17 to 19, IC025 down from "
        "-0.09 to -0.27, lower bound of the ROR down from 1.04 to 0.886. Still on, below the "
        "threshold but not past the exit: EMA; no longer met: IC025 (-0.27, exit -0.25).",
    ),
    (
        SIDS,
        "Sudden infant death syndrome with hepatitis B vaccine (HEP): newly flagged, by the "
        "sequential test only, with 99 fatal cases. 99 cases (99 fatal), 125 expected (63 "
        f"{STRATA}). There is an excess only within the strata. ROR 0.719 (95% CI 0.573 to 0.903); "
        "IC -0.34 (IC025 -0.64); sequential-test FDR 0.043. Rule met: sequential test.",
    ),
    (
        WEAKNESS,
        "Muscular weakness with seasonal influenza vaccine (FLU3): a rule no longer met "
        "(sequential test); another rule met (IC025); more cases; IC025 higher by 0.60. 16 cases, "
        f"6.3 expected (10 {STRATA}). ROR 3.26 (95% CI 1.81 to 5.90); PRR 3.26; chi-squared 15.5; "
        "IC 1.28 (IC025 0.49); sequential-test FDR 0.45. Since revision 9 (2000-06-08): cases up "
        "from 10 to 16, IC025 up from -0.10 to 0.49, lower bound of the ROR up from 1.13 to 1.81. "
        "Rules met: MHRA, EMA, IC025; no longer met: sequential test (FDR 0.45, exit 0.2).",
    ),
    (
        STUPOR,
        "Stupor with Hib-hepatitis B vaccine (HBHEPB): flagged again, by the sequential test only. "
        f"26 cases (2 fatal), 25.95 expected (56 {STRATA}). No excess remains within the strata. "
        "ROR 1.002 (95% CI 0.678 to 1.48); IC 0.003 (IC025 -0.61); sequential-test FDR 0.026. "
        "Since it ended in revision 8 (2000-07-11): cases up from 23 to 26, IC025 down from -0.32 "
        "to -0.61, lower bound of the ROR down from 0.838 to 0.678. Rule met: sequential test.",
    ),
    (
        STARING,
        f"Staring with MMR vaccine: no rule is met any longer. 7 cases, 4.2 expected (6.3 {STRATA}"
        "). ROR 1.97 (95% CI 0.808 to 4.78); IC 0.68 (IC025 -0.58). Since revision 2 (2000-06-08): "
        "cases up from 5 to 7, IC025 still -0.58, lower bound of the ROR down from 0.922 to 0.808. "
        "No longer met: EMA (ROR lower bound 0.808, exit 0.84).",
    ),
    (
        HYPOVENTILATION,
        "Hypoventilation with meningococcal vaccine (MEN): no rule is met any longer. 3 cases, "
        f"0.92 expected (0.78 {STRATA}). ROR 3.29 (95% CI 1.05 to 10.3); PRR 3.28; chi-squared "
        "2.7096; IC 1.30 (IC025 -0.75). Since revision 1 (1999-10-15): cases unchanged, IC025 down "
        "from -0.45 to -0.75, lower bound of the ROR down from 1.48 to 1.05. No longer met: MHRA "
        "(chi-squared 2.7096, exit 2.71).",
    ),
    (
        UVEITIS,
        "Uveitis with zetamab: no rule is met any longer, after 1 case was withdrawn. 2 cases, "
        f"fewer than 0.01 expected (0.095 {STRATA}). ROR 4,330 (95% CI 195 to 96,000); PRR 1,440; "
        "chi-squared 541; IC 2.31 (IC025 -0.28). Since revision 3 (2024-03-05): cases down from 3 "
        "to 2, IC025 down from 0.74 to -0.28, lower bound of the ROR down from 325 to 195. No "
        "longer met: MHRA (cases 2, exit 3), IC025 (-0.28, exit -0.25).",
    ),
]


@pytest.mark.parametrize(("alert", "text"), ENGLISH, ids=[a.event for a, _ in ENGLISH])
def test_texts_read_as_in_the_reference(alert: Alert, text: str) -> None:
    assert alert.sentence == text
    assert broken_rules(alert) == []


GROUPS = "年齢層・性別・地域で層別した場合"
JAPANESE = [
    (
        GUILLAIN_BARRE,
        "ギラン・バレー症候群／季節性インフルエンザワクチン（FLU3）：初の死亡症例。"
        f"症例数9例（うち死亡1例）、期待症例数0.59例（{GROUPS}2.6例）。"
        "ROR 53.5（95%信頼区間16.1～178）、PRR 47.2、カイ二乗値112、IC 3.12（IC025 2.03）、"
        "逐次検定のFDR 0.0011。第4版（1990-10-19）との比較：症例数7→9（増）、"
        "IC025 2.14→2.03（低下）、RORの下限38.4→16.1（低下）。"
        "全ての検出基準に該当：MHRA、EMA、IC025、逐次検定。",
    ),
    (
        SIDS.model_copy(update={"event": "乳児突然死症候群"}),
        "乳児突然死症候群／B型肝炎ワクチン（HEP）：逐次検定のみで新たに検出、死亡99例。"
        f"症例数99例（うち死亡99例）、期待症例数125例（{GROUPS}63例）。"
        "層別した場合にのみ期待症例数を上回る。ROR 0.719（95%信頼区間0.573～0.903）、"
        "IC -0.34（IC025 -0.64）、逐次検定のFDR 0.043。該当した検出基準：逐次検定。",
    ),
    (
        INSOMNIA,
        "不眠症／経口生ポリオワクチン（OPV）：検出基準の一つに非該当となった（MHRA）。"
        f"症例数393例（うち死亡7例）、期待症例数273例（{GROUPS}356例）。"
        "ROR 1.69（95%信頼区間1.49～1.91）、PRR 1.677、カイ二乗値70.2、IC 0.53（IC025 0.38）、"
        "逐次検定のFDR 0.001未満。第16版（1996-03-12）との比較：症例数290→393（増）、"
        "IC025 0.37→0.38（上昇）、RORの下限1.57→1.49（低下）。"
        "該当した検出基準：EMA、IC025、逐次検定。"
        "非該当となった検出基準：MHRA（PRR 1.677、解除条件1.68）。",
    ),
    (
        UVEITIS.model_copy(update={"event": "ぶどう膜炎"}),
        "ぶどう膜炎／zetamab：症例1例の取下げにより、全ての検出基準に非該当となった。"
        f"症例数2例、期待症例数0.01例未満（{GROUPS}0.095例）。"
        "ROR 4,330（95%信頼区間195～96,000）、PRR 1,440、カイ二乗値541、IC 2.31（IC025 -0.28）。"
        "第3版（2024-03-05）との比較：症例数3→2（減）、IC025 0.74→-0.28（低下）、"
        "RORの下限325→195（低下）。"
        "非該当となった検出基準：MHRA（症例数2、解除条件3）、IC025（-0.28、解除条件-0.25）。",
    ),
    (
        PROGRESSION,
        "悪性新生物進行／エクソソーム又は幹細胞培養上清（msc-supernatant-exosome）："
        f"不均衡報告シグナルを新たに検出。症例数3例、期待症例数0.67例（{GROUPS}3.6例）。"
        "ROR 4.71（95%信頼区間1.47～15.1）、PRR 4.55、カイ二乗値5.10、IC 1.58（IC025 -0.47）。"
        "該当した検出基準：MHRA、EMA。当該事象は治療対象疾患である可能性がある："
        "当該適応（がん）の305例中3例、ROR 3.50（95%信頼区間0.575～21.3）であり、"
        "該当する検出基準はない。",
    ),
]


@pytest.mark.parametrize(("alert", "text"), JAPANESE, ids=["2", "5", "8", "16", "17"])
def test_japanese_texts_read_as_in_the_reference(alert: Alert, text: str) -> None:
    assert signal_texts(alert, Language.JAPANESE).sentence == text


def test_the_caveat_and_the_next_step_have_both_languages() -> None:
    japanese = signal_texts(UVEITIS, Language.JAPANESE)
    assert japanese.caveat.endswith("発現頻度ではない。")
    assert japanese.next_step.endswith("継続の理由を記録。")
    assert UVEITIS.next_step == (
        "Inform everyone who acted on this signal; end the assessment or record why it continues."
    )


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({}, "Review the cases received since revision 9. Due 2024-02-01."),
        (
            {"urgent": True},
            "Review the cases received since revision 9. Due 2024-02-01 (urgent).",
        ),
        (
            {"due": date(2023, 12, 31), "urgent": True},
            "Review the cases received since revision 9. Due 2023-12-31 "
            "(urgent, overdue unless decided).",
        ),
        (
            {"kind": AlertKind.WEAKENED, "reasons": (AlertReason.RULE_OFF,), "due": None},
            "None required; the signal stays open under MHRA, EMA, IC025.",
        ),
        (
            {"reasons": (AlertReason.CASES_RETRACTED, AlertReason.RULE_OFF)},
            "Check whether any decision relied on what was withdrawn. Due 2024-02-01.",
        ),
        (
            {
                "kind": AlertKind.STRENGTHENED,
                "reasons": (AlertReason.MORE_CASES,),
                "assessment": Assessment(
                    state=SignalState.VALIDATED, since=NOW, assignee=None, decided_by="a"
                ),
            },
            "Review the cases received since revision 9. Check whether the decision of 2024-01-01 "
            "still holds. Due 2024-02-01.",
        ),
    ],
    ids=["review", "urgent", "overdue", "none", "withdrawn", "decision"],
)
def test_next_steps(changes: dict[str, Any], step: str) -> None:
    alert = WEAKNESS.model_copy(update={"due": date(2024, 2, 1), **changes})
    assert signal_texts(alert).next_step == step


def test_a_signal_of_the_sequential_test_without_an_excess_asks_for_the_reporting_first() -> None:
    assert SIDS.next_step.startswith("Check whether reporting of the product or event changed")
    signal_too = SIDS.model_copy(
        update={"counts": SIDS.counts.model_copy(update={"n_observed": 126})}
    )
    assert signal_texts(signal_too).next_step.startswith("Check for duplicates")


def test_the_consumer_reads_nothing_of_a_facility() -> None:
    alert = STUPOR.model_copy(
        update={"reasons": (AlertReason.MORE_CASES, AlertReason.NEW_FACILITY)}
    )
    assert "first case from another facility" in signal_texts(alert).headline
    assert "facility" not in signal_texts(alert, tier=Tier.CONSUMER).sentence
    only = STUPOR.model_copy(update={"reasons": (AlertReason.NEW_FACILITY,)})
    headline = signal_texts(only, tier=Tier.CONSUMER).headline
    assert headline.endswith(": facts of its cases changed")


def test_the_screening_is_said_where_no_alarm_rule_is_on() -> None:
    alert = WEAKNESS.model_copy(
        update={"reasons": (AlertReason.FIRST,), "grade": SignalGrade.SCREENING, "previous": None}
    )
    assert signal_texts(alert).headline.endswith("reporting, by screening rules only")


def test_public_texts_hold_bands_and_months_alone() -> None:
    texts = public_signal_texts(
        "FLU3", "Guillain-Barre syndrome", band="1-10", on=True, evaluated_on=date(1990, 7, 9)
    )
    assert texts.sentence == (
        "Guillain-Barre syndrome with seasonal influenza vaccine: 1 to 10 reported cases, flagged "
        "for review (July 1990). A screening rule marked these reports for a closer look."
    )
    assert texts.caveat.endswith("ask a health professional.")
    off = public_signal_texts(
        "FLU3",
        "Sepsis",
        band="1001 or more",
        on=False,
        evaluated_on=date(1990, 7, 9),
        language=Language.JAPANESE,
    )
    assert off.headline == (
        "Sepsis／季節性インフルエンザワクチン：報告1001 or more例、確認対象から除外（1990年7月）"
    )


def test_a_signal_that_was_off_and_corrected_is_compared_with_its_end() -> None:
    assert STUPOR.previous is not None
    corrected = STUPOR.previous.model_copy(update={"kind": AlertKind.UPDATE})
    text = signal_texts(STUPOR.model_copy(update={"previous": corrected})).sentence
    assert "Since it ended in revision 8" in text
