"""Names and codes of countries in legacy and current sources."""

import pytest

from streams.intake.countries import country_code


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
