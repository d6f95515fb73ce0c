"""Strata of cases: by age group, sex and region, and by age band and sex.

Unknown values form strata of their own.
"""

import tomllib
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from math import inf, isfinite

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.errors import InputError
from schemas.vocabulary import AgeGroup, Sex

__all__ = [
    "BAND_UNIT",
    "PAEDIATRIC",
    "REGIONS",
    "UNKNOWN",
    "AgeBands",
    "age_group",
    "default_age_bands",
    "region_of",
]

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


BAND_UNIT = 4
"""Codes of `AgeBands.blocks` for each age band: divided by it, a code is the band alone."""

_GROUP_EDGES = (0.0, *_AGE_ENDS, inf)
_SEXES = [sex.value for sex in Sex]
_MOST_BANDS = 100


@dataclass(frozen=True, slots=True)
class AgeBands:
    """Age bands of the strata in which expected counts and the blocked test are computed.

    A case has a band by its age in years. Without one it has the band that contains its age group,
    as reported; a group that spans several bands is a band of its own, and so is an unknown age.

    Attributes
    ----------
    upper_ends
        Upper end of each band but the last [years], ascending. An age that equals an end is of the
        band above it.
    """

    upper_ends: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raise if the ends are not ascending positive numbers."""
        ends = self.upper_ends
        ascending = all(low < high for low, high in pairwise((0.0, *ends)))
        if not (0 < len(ends) <= _MOST_BANDS and ascending and isfinite(ends[-1])):
            msg = (
                f"age bands: 1 to {_MOST_BANDS} upper ends in years must ascend from above 0; "
                f"got {list(ends)}"
            )
            raise InputError(msg)

    @classmethod
    def parse(cls, text: str) -> "AgeBands":
        """Read upper ends in years, separated by commas.

        >>> AgeBands.parse("2,12,18,65").upper_ends
        (2.0, 12.0, 18.0, 65.0)

        Raises
        ------
        InputError
            If one is no number, or they do not ascend.
        """
        try:
            ends = tuple(float(part) for part in text.split(","))
        except ValueError as error:
            msg = f"age bands: upper ends in years, such as 2,12,18,65, must be given; got {text!r}"
            raise InputError(msg) from error
        return cls(ends)

    @property
    def text(self) -> str:
        """Return the upper ends as `parse` reads them.

        >>> AgeBands((0.5, 18.0)).text
        '0.5,18'
        """
        return ",".join(f"{end:g}" for end in self.upper_ends)

    def blocks(self, cases: pl.DataFrame) -> npt.NDArray[np.uint16]:
        """Return a code of age band and sex for each case.

        `BAND_UNIT` times the band's code, plus the sex. The bands by age count from 0; then come
        the unknown age, and the groups that span several bands.

        Parameters
        ----------
        cases
            Columns `age_years` [-1: not stated], `age_group` and `sex`.

        Examples
        --------
        >>> cases = {"age_years": [0.2, -1.0, -1.0, -1.0], "sex": ["female"] * 4}
        >>> groups = ["infant", "unknown", "elderly", "adult"]
        >>> AgeBands((0.5, 18.0, 65.0)).blocks(pl.DataFrame(cases | {"age_group": groups})).tolist()
        [0, 16, 12, 8]
        >>> AgeBands((0.5, 40.0)).blocks(pl.DataFrame(cases | {"age_group": groups})).tolist()
        [0, 12, 8, 32]
        """
        years = cases["age_years"].to_numpy()
        by_age = np.searchsorted(self.upper_ends, years, side="right")
        by_group = cases["age_group"].replace_strict(
            [UNKNOWN, *_AGE_GROUPS], self._of_groups(), return_dtype=pl.Int64
        )
        band = np.where(years < 0, by_group.to_numpy(), by_age)
        sex = cases["sex"].replace_strict(_SEXES, range(len(_SEXES)), return_dtype=pl.Int64)
        blocks: npt.NDArray[np.uint16] = (BAND_UNIT * band + sex.to_numpy()).astype(np.uint16)
        return blocks

    def _of_groups(self) -> list[int]:
        """Return the band of the unknown age, and of each group of `_AGE_GROUPS`."""
        unknown = len(self.upper_ends) + 1
        found = [unknown]
        for place, (low, high) in enumerate(pairwise(_GROUP_EDGES), start=1):
            band = bisect_right(self.upper_ends, low)
            end = self.upper_ends[band] if band < len(self.upper_ends) else inf
            found.append(band if high <= end else unknown + place)
        return found


@lru_cache(maxsize=1)
def default_age_bands() -> AgeBands:
    """Return the bands of `age_bands.toml`."""
    text = files("streams.core.cases").joinpath("age_bands.toml").read_text(encoding="utf-8")
    return AgeBands(tuple(map(float, tomllib.loads(text)["upper_ends_years"])))
