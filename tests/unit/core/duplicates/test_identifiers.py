"""Identifiers of reports: in one form, of whom they are, and what is a placeholder."""

from typing import Any

import pytest

from schemas.report import OtherId
from streams.core.duplicates.identifiers import completeness, identifiers_of, normalise_id
from tests.support.reports import make_report


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (" us-Acme - 2024 7", "US-ACME-20247"),
        ("ＵＳ－ACME‐20247", "US-ACME-20247"),
        ("JP\u200b-X-1", "JP-X-1"),  # what is not printed
        ("0001", "0001"),
        ("000", None),
        ("N/A", None),
        (" ", None),
        (None, None),
    ],
)
def test_a_number_is_compared_without_case_width_blanks_and_kinds_of_dash(
    text: str | None, plain: str | None
) -> None:
    assert normalise_id(text) == plain


@pytest.mark.parametrize(
    ("stated", "own", "listed"),
    [
        ({"worldwide_id": "jp-x-1"}, ("w:JP-X-1",), ()),
        ({"sender": "Acme", "sender_case_id": "7"}, ("s:ACME\x1f7",), ()),
        ({"sender_case_id": "7"}, None, None),  # whose it is is not known
        # A sender's number in the form of a worldwide one is both.
        (
            {"sender": "Acme", "sender_case_id": "JP-X-1"},
            ("s:ACME\x1fJP-X-1", "w:JP-X-1"),
            (),
        ),
        ({"other_ids": (OtherId(case_id="9"),)}, (), ("w:9",)),
        ({"other_ids": (OtherId(source="FDA", case_id="9"),)}, (), ("s:FDA\x1f9",)),
        (
            {"worldwide_id": "JP-X-1", "other_ids": (OtherId(case_id="JP-X-1"),)},
            ("w:JP-X-1",),
            (),
        ),
        ({"worldwide_id": "unknown"}, None, None),
        ({}, None, None),
    ],
)
def test_identifiers_are_of_the_case_or_of_its_earlier_transmissions(
    stated: dict[str, Any], own: tuple[str, ...] | None, listed: tuple[str, ...]
) -> None:
    found = identifiers_of(make_report(**stated))
    if own is None:
        assert found is None
    else:
        assert found is not None
        assert (found.own, found.listed) == (own, listed)
        assert found.keys == (*own, *listed)


def test_completeness_is_the_product_of_the_penalties() -> None:
    bare = make_report()
    # Onset 1/2; indication, outcome, sex, age 7/10; dose, country, reporter, type 9/10.
    assert completeness(bare) == pytest.approx(1_000_000 * 0.5 * 0.7**4 * 0.9**4, abs=5)
    assert completeness(make_report(occurrence_country="JP")) == pytest.approx(
        1_000_000 * 0.5 * 0.7**4 * 0.9**3, abs=5
    )
