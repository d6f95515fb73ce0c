from datetime import date

import pytest

from schemas.errors import InputError
from schemas.vocabulary import SupplyRoute
from streams.core.safety.reporting_duties import duty_line, law_table, read_law

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
    return duty_line(jurisdiction, law_table().frames_for(jurisdiction, product_class, route, day))


def test_in_japan_the_supply_route_and_the_cells_decide():
    assert "none (ASRM does not apply" in line("JP", "culture-supernatant", PRACTICE)
    assert "none (duties begin with a marketing application" in line(
        "JP", "extracellular-vesicles", MARKETED
    )
    assert line("JP", "cell-product", PRACTICE) == (
        "JP: duty to report: the clinic to MHLW, Certified Committee "
        "(ASRM applies: the government and the Certified Committee must be told)"
    )


def test_an_unknown_supply_route_gives_every_line_it_may_be():
    text = line("JP", "culture-supernatant")
    assert text.startswith("JP, by supply route, which is not known: ")
    assert "marketed product: duty" in text
    assert "physician practice: duty" in text


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
    assert (before.because, after.valid_from) == ("the act was a draft", date(2024, 6, 4))
    assert law_table().frames_for("KR", "culture-supernatant", UNKNOWN, date(2018, 11, 30)) == ()


def test_what_the_table_does_not_cover_is_said_not_left_out():
    assert line("BR", "culture-supernatant") == (
        "BR: duty to report: not known (no line of the table covers it)"
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
