from datetime import date

import pytest

from schemas.errors import InputError
from schemas.vocabulary import SupplyRoute
from streams.core.safety.reporting_duties import duty_lines, law_table, read_law
from streams.core.wording.catalogue import Language

PRACTICE, MARKETED, UNKNOWN = (
    SupplyRoute.PHYSICIAN_PRACTICE,
    SupplyRoute.MARKETED_PRODUCT,
    SupplyRoute.UNKNOWN,
)
DAY = date(2023, 11, 28)
FRAME = """
version = "1"
[[frames]]
jurisdiction = "JP"
regulator = "r"
classes = ["cell-product"]
classification = "c"
duty = {duty}
because = "b"
recipients = []
source = "s"
quote = "q"
verified = true
{extra}
"""


def line(jurisdiction, product_class, route=UNKNOWN, day=DAY):
    (only,) = lines(jurisdiction, product_class, route, day)
    return only


def lines(jurisdiction, product_class, route=UNKNOWN, day=DAY, language=Language.ENGLISH):
    frames = law_table().frames_for(jurisdiction, product_class, route, day)
    return duty_lines(jurisdiction, frames, language)


def test_in_japan_the_supply_route_and_the_cells_decide():
    assert line("JP", "culture-supernatant", PRACTICE) == (
        "Duty to report, Japan (physician's own practice): none. The Act on the Safety of "
        "Regenerative Medicine (ASRM) does not apply, because the product contains no cells."
    )
    assert line("JP", "extracellular-vesicles", MARKETED) == (
        "Duty to report, Japan (marketed product): none. The duties begin with a marketing "
        "application, and no product of this class is approved."
    )
    assert line("JP", "cell-product", PRACTICE) == (
        "Duty to report, Japan (physician's own practice): the clinic must report to MHLW and the "
        "Certified Committee. The Act on the Safety of Regenerative Medicine (ASRM) applies, "
        "because the product contains living cells."
    )


def test_the_lines_are_in_japanese_as_well():
    (line,) = lines("JP", "culture-supernatant", PRACTICE, language=Language.JAPANESE)
    assert line == (
        "報告義務、日本（自由診療）：なし。"
        "細胞を含まないため、再生医療等の安全性の確保等に関する法律の適用対象外。"
    )
    assert all(frame.because_ja for frame in law_table().frames)
    (cells,) = lines("JP", "cell-product", PRACTICE, language=Language.JAPANESE)
    assert "医療機関は厚生労働省及び認定再生医療等委員会に報告" in cells


def test_a_table_without_japanese_gives_its_english_reason():
    table = read_law(FRAME.format(duty="false", extra=""))
    (line,) = duty_lines("JP", table.frames, Language.JAPANESE)
    assert line == "報告義務、日本：なし。b"


def test_an_unknown_supply_route_gives_every_line_it_may_be():
    marketed, practice = lines("JP", "culture-supernatant")
    assert marketed.startswith(
        "Route not known. Duty to report, Japan (marketed product): none. The duties begin"
    )
    assert practice.startswith(
        "Route not known. Duty to report, Japan (physician's own practice): none. The Act"
    )


def test_the_narrowest_class_holds():
    (engineered,) = law_table().frames_for("EU", "engineered-ev", UNKNOWN, DAY)
    (plain,) = law_table().frames_for("EU", "extracellular-vesicles", UNKNOWN, DAY)
    assert engineered.classification.startswith("advanced therapy")
    assert plain.classification == "biological medicinal product"
    # In the US there is no line for engineered vesicles: the class above has one.
    (us,) = law_table().frames_for("US", "engineered-ev", UNKNOWN, DAY)
    assert "drug and biological product" in us.classification


def test_members_of_the_union_have_its_frames():
    assert law_table().frames_for("DE", "culture-supernatant", UNKNOWN, DAY) == (
        law_table().frames_for("EU", "culture-supernatant", UNKNOWN, DAY)
    )


def test_law_changes_on_its_day():
    (before,) = law_table().frames_for("TW", "culture-supernatant", UNKNOWN, date(2024, 6, 3))
    (after,) = law_table().frames_for("TW", "culture-supernatant", UNKNOWN, date(2024, 6, 4))
    assert (before.because, after.valid_from) == ("The act was a draft.", date(2024, 6, 4))
    assert law_table().frames_for("KR", "culture-supernatant", UNKNOWN, date(2018, 11, 30)) == ()


def test_what_the_table_does_not_cover_is_said_not_left_out():
    assert line("BR", "culture-supernatant") == (
        "Duty to report, Brazil: not known. The law table has no entry for this product class."
    )
    assert "not known" in line("JP", "aspirin")


@pytest.mark.parametrize(
    ("duty", "extra", "reason"),
    [
        ("true", "", "a duty must have a holder"),
        ("false", 'holder = "clinic"', "a duty must have a holder"),
        (
            "false",
            "valid_from = 2024-01-02\nvalid_to = 2024-01-01",
            "valid_to must not be before valid_from",
        ),
        ('"maybe"', "", "frames.0.duty"),
        ("false", 'colour = "red"', "frames.0.colour"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(duty, extra, reason):
    with pytest.raises(InputError, match="law: ") as caught:
        read_law(FRAME.format(duty=duty, extra=extra))
    assert reason in str(caught.value)


def test_a_class_that_is_no_class_is_refused():
    text = FRAME.format(duty="false", extra="").replace("cell-product", "cells")
    with pytest.raises(InputError, match=r"frames\.0: must name classes of the vocabulary"):
        read_law(text)
