"""Stratum of a case: age group, sex, region. Unknown values form their own stratum."""

from bisect import bisect_right

from schemas.vocabulary import AgeGroup

__all__ = ["PAEDIATRIC", "REGIONS", "UNKNOWN", "age_group", "region_of"]

UNKNOWN = "unknown"

_EUROPE = (
    "AD AL AT AX BA BE BG BY CH CY CZ DE DK EE ES EU FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI "
    "LT LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK"
)
_ASIA = (
    "AE AF AM AZ BD BH BN BT CN GE HK ID IL IN IQ IR JO KG KH KP KR KW KZ LA LB LK MM MN MO MV MY "
    "NP OM PH PK PS QA SA SG SY TH TJ TL TM TR TW UZ VN YE"
)

# The reporting regions of the electronic reaction monitoring report (eRMR): Europe, North America,
# Japan, Asia, the rest of the world.
_OF_CODES = (
    dict.fromkeys(_EUROPE.split(), "europe")
    | dict.fromkeys(_ASIA.split(), "asia")
    | {"US": "north_america", "CA": "north_america", "JP": "japan"}
)

REGIONS = ("asia", "europe", "japan", "north_america", "rest_of_world")
"""Results of `region_of` for a country, sorted."""

# Upper ends [years] of the groups of ICH E2B(R3) D.2.3; 28 days is the end of the neonatal period.
_AGE_ENDS = (28 / 365.25, 2.0, 12.0, 18.0, 65.0)
_AGE_GROUPS = ("neonate", "infant", "child", "adolescent", "adult", "elderly")

PAEDIATRIC = frozenset(_AGE_GROUPS[:4])
"""Age groups under 18 years."""


def age_group(years: float | None, reported: AgeGroup | None) -> str:
    """Return the age group of an age in years, else the one reported, else `unknown`."""
    if years is None:
        return UNKNOWN if reported is None else reported.value
    return _AGE_GROUPS[bisect_right(_AGE_ENDS, years)]


def region_of(country: str | None) -> str:
    """Return the region of a country (ISO 3166-1 alpha-2); `unknown` without one."""
    return UNKNOWN if country is None else _OF_CODES.get(country, "rest_of_world")
