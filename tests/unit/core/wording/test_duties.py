"""Law lines: none has its reason, a single source is named, and the table is no advice."""

import re

import pytest

from schemas.vocabulary import SupplyRoute
from streams.core.safety.reporting_duties import duty_lines, law_table
from streams.core.wording.catalogue import Language
from streams.core.wording.duties import (
    duty_in_table,
    duty_not_in_table,
    duty_without_country,
    law_table_line,
)


def test_who_must_report_to_whom_and_why() -> None:
    line = duty_in_table(
        "JP",
        route=SupplyRoute.CLINICAL_TRIAL,
        holder="the sponsor",
        recipients=["PMDA", "MHLW"],
        because="A trial has a sponsor.",
        verified=False,
        route_known=False,
    )
    assert line == (
        "Route not known. Duty to report, Japan (clinical trial): the sponsor must report to PMDA "
        "and MHLW. A trial has a sponsor. Rests on one source."
    )


def test_what_is_not_known_says_why() -> None:
    assert duty_not_in_table("BR", Language.JAPANESE) == (
        "報告義務、ブラジル：不明。法令表に当該製品区分の記載なし。"
    )
    assert duty_without_country() == (
        "Duty to report, country not stated: not known. The law table goes by country."
    )
    assert duty_not_in_table("sport").startswith("Duty to report, sport: not known. ")


@pytest.mark.parametrize("frame", law_table().frames, ids=lambda frame: frame.jurisdiction)
def test_every_entry_has_its_reason_in_full_sentences(frame) -> None:
    (english,), (japanese,) = (duty_lines(frame.jurisdiction, (frame,), x) for x in Language)
    none = r"Duty to report, [^:]+: none\. [A-Z].{15,}\."
    somebody = r"Duty to report, [^:]+: the .+ must report to .+\. [A-Z].{15,}\."
    assert re.fullmatch(somebody if frame.duty else none, english), english
    assert ("Rests on one source." in english) is not frame.verified
    assert english.isascii()
    assert japanese.startswith("報告義務、")
    assert japanese.endswith("。")
    assert ("：なし。" in japanese) is not frame.duty


def test_the_table_is_no_legal_advice_in_either_language() -> None:
    assert law_table_line("2026-11") == "Law table 2026-11; not legal advice."
    assert law_table_line("2026-11", Language.JAPANESE) == "法令表2026-11版。法的助言ではない。"
