"""Country names and codes of the sources as ISO 3166-1 alpha-2 codes.

Legacy FAERS has English names in the ISO spelling of its time, later quarters have codes. Codes
that are not a country (`EU`, `XX`), and names of dissolved countries, are unknown.
"""

import re
import tomllib
from functools import lru_cache
from importlib.resources import files

__all__ = ["country_code", "us_subdivision"]

_NAMES: dict[str, list[str]] = tomllib.loads(
    files("streams.intake").joinpath("countries.toml").read_text(encoding="utf-8")
)
_CODES = {name: code for code, names in _NAMES.items() for name in names}
# Of ISO 3166-2: states, the district, outlying areas.
_OF_THE_US = (
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM "
    "NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC AS GU MP PR UM VI"
)
# Of ISO 3166-2: states, the district, outlying areas.
_OF_THE_US = (
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM "
    "NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC AS GU MP PR UM VI"
)
_US_SUBDIVISIONS = frozenset(_OF_THE_US.split())
_PARENTHESIS = re.compile(r"\s*\(.*\)")


@lru_cache(maxsize=4096)
def country_code(text: str) -> str | None:
    """Return the code of a country from its code or name.

    The name is tried as it is, then without parentheses, then without the text after a comma.

    >>> country_code("JP"), country_code("United Kingdom"), country_code("CROATIA (local name: X)")
    ('JP', 'GB', 'HR')
    >>> country_code("EU"), country_code("COUNTRY NOT SPECIFIED"), country_code("")
    (None, None, None)
    """
    name = " ".join(text.upper().split())
    if name in _NAMES:
        return name
    without_parenthesis = _PARENTHESIS.sub("", name)
    for spelling in (name, without_parenthesis, without_parenthesis.partition(",")[0]):
        if spelling in _CODES:
            return _CODES[spelling]
    return None


def us_subdivision(state: str) -> str | None:
    """Return the ISO 3166-2 code of a state or territory of the US from its two letters.

    >>> us_subdivision("CA"), us_subdivision(" pr "), us_subdivision("XL")
    ('US-CA', 'US-PR', None)
    """
    code = state.strip().upper()
    return f"US-{code}" if code in _US_SUBDIVISIONS else None
