"""Country names and codes of the sources as ISO 3166-1 alpha-2 codes.

Legacy FAERS has English names in the ISO spelling of its time, later quarters have codes. Codes
that are not a country (`EU`, `XX`), and names of dissolved countries, are unknown.
"""

import re
import tomllib
from functools import lru_cache
from importlib.resources import files

__all__ = ["country_code"]

_NAMES: dict[str, list[str]] = tomllib.loads(
    files("streams.intake").joinpath("countries.toml").read_text(encoding="utf-8")
)
_CODES = {name: code for code, names in _NAMES.items() for name in names}
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
