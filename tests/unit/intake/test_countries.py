"""Names and codes of countries in legacy and current sources."""

import pytest

from streams.intake.countries import country_code, us_subdivision


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("US", "US"),
        ("United  Kingdom ", "GB"),
        ("SLOVAKIA (Slovak Republic)", "SK"),
        ("TANZANIA, UNITED REPUBLIC OF", "TZ"),
        ("CONGO", "CG"),
        ("CONGO, THE DEMOCRATIC REPUBLIC OF THE", "CD"),
        ("KOREA, DEMOCRATIC PEOPLE'S REPUBLIC OF", "KP"),
        ("VIRGIN ISLANDS (BRITISH)", "VG"),
        ("VIRGIN ISLANDS", None),
        ("KOREA", None),
        ("YUGOSLAVIA", None),
        ("EU", None),
        ("XX", None),
        ("COUNTRY NOT SPECIFIED", None),
        ("", None),
    ],
)
def test_countries(text: str, code: str | None) -> None:
    assert country_code(text) == code


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("WI", "US-WI"),
        (" dc", "US-DC"),
        ("PR", "US-PR"),
        ("UM", "US-UM"),
        ("FR", None),  # in VAERS: from abroad
        ("MH", None),  # a country of its own
        ("XX", None),
        ("", None),
        ("CALIFORNIA", None),
    ],
)
def test_states_of_the_us(state: str, code: str | None) -> None:
    assert us_subdivision(state) == code
