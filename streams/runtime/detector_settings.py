"""Settings that decide which signals a detector publishes: the table `[detector]`.

They are shared by the commands that detect or recompute: from `tocsin.toml`, the environment
(``TOCSIN_DETECTOR__...``) and flags, in rising precedence.
"""

import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import NoDecode

from schemas.errors import InputError
from streams.core.cases.strata import default_age_bands

__all__ = ["DEFAULT_RULES", "DEFAULT_SCREENING", "TABLE", "DetectorSettings"]

TABLE = "detector"
DEFAULT_FILE = Path("tocsin.toml")
VARIABLES = "TOCSIN_DETECTOR__"
DEFAULT_RULES = "tocsin"
DEFAULT_SCREENING = "screening,mhra,ema,ic"


def _joined(value: object) -> object:
    """Join the names of a TOML array with commas, as a flag has them."""
    if isinstance(value, list | tuple) and all(
        isinstance(part, str | int | float) for part in value
    ):
        return ",".join(map(str, value))
    return value


def _listed(value: object) -> object:
    """Return the texts of a TOML table (`NAME=FILE`), an array, or a text with commas."""
    if isinstance(value, Mapping):
        return tuple(f"{name}={path}" for name, path in value.items())
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(value) if isinstance(value, list) else value


Names = Annotated[str, BeforeValidator(_joined)]
Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


class DetectorSettings(BaseModel):
    """Rules, windows, policy, lists, priors and strata of a detector, as texts and paths.

    Create them with `DetectorSettings.load`, which reports errors in one line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: Names = Field(default=DEFAULT_RULES, description="Rules of the alarm, as `--rules`.")
    screening: Names = Field(
        default=DEFAULT_SCREENING, description="Rules of the screening, as `--screening`."
    )
    lists: Texts = Field(
        default=(),
        description="Lists that the rules name, as `--list`: a table of name and file, or "
        "`NAME=FILE,...`.",
    )
    windows: Texts = Field(default=("cumulative",), description="Windows, as `--window`.")
    policy: Path | None = Field(
        default=None, description="TOML file of the re-alert policy, as `--policy`; none: shipped."
    )
    prior: Path | None = Field(
        default=None, description="JSON file of the prior of EBGM, as `--prior`."
    )
    prior_adjusted: Path | None = Field(
        default=None,
        description="JSON file of the prior of EBGM within strata, as `--prior-adjusted`.",
    )
    refit: str | None = Field(
        default=None, description="Interval at which priors are refitted, such as 90d: `--refit`."
    )
    age_bands: Names = Field(
        default=default_age_bands().text,
        description="Upper ends of the age bands of the strata [years], as `--age-bands`.",
    )
    test_by_sex: bool = Field(
        default=False,
        description="Whether the blocks of the anytime-valid test are of one sex, as "
        "`--test-by-sex`.",
    )
    negative_controls: Path | None = Field(
        default=None,
        description="CSV file of pairs known to be unrelated, as `--negative-controls`.",
    )

    @classmethod
    def load(cls, path: Path | None = None, **flags: object) -> Self:
        """Return the settings, or raise an error of one line that names the setting.

        Parameters
        ----------
        path
            The TOML file; by default `tocsin.toml` in the working directory, if there is one.
        flags
            Settings by name; `None` for those not given.

        Raises
        ------
        InputError
            A setting is unknown or malformed, or the file cannot be read.
        """
        if path is not None and not path.is_file():
            msg = f"settings: the file must exist; got {path}"
            raise InputError(msg)
        file = path if path is not None else DEFAULT_FILE if DEFAULT_FILE.is_file() else None
        table = {} if file is None else _table(file)
        variables = {
            name[len(VARIABLES) :].lower(): value
            for name, value in os.environ.items()
            if name.upper().startswith(VARIABLES)
        }
        given = {name: value for name, value in flags.items() if value is not None}
        try:
            return cls.model_validate({**table, **variables, **given})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = str(first["loc"][0])
            if name in given:
                where = f"the option {name}"
            elif name in variables:
                where = f"the environment variable {VARIABLES}{name.upper()}"
            else:
                where = f"{TABLE}.{name} in {file}"
            if first["type"] == "extra_forbidden":
                close = get_close_matches(name, cls.model_fields, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                msg = f"settings: {where} must be a known setting; got {name!r}{hint}"
            else:
                msg = f"settings: {where}: {first['msg'].removeprefix('Input ')}"
            raise InputError(msg) from None


def _table(file: Path) -> Mapping[str, Any]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8")).get(TABLE, {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f"settings: {file} must be readable; got {error}"
        raise InputError(msg) from None
    if not isinstance(table, Mapping):
        msg = f"settings: {TABLE} in {file} must be a table; got {table!r}"
        raise InputError(msg)
    return table
