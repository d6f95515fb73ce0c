"""Print the table of all settings as Markdown: `python -m tests.docs.settings`.

`docs/operate/settings.md` shows it between two markers; `make docs` writes it there.
"""

from pathlib import Path
from typing import Any, get_args

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from streams.runtime.detector_settings import TABLE, DetectorSettings
from streams.runtime.settings import PREFIX, Settings
from tests.support.documentation import ROOT

__all__ = ["PAGE", "shown", "table", "written"]

PAGE = ROOT / "docs" / "operate" / "settings.md"
_BEGIN, _END = "<!-- settings: begin -->\n", "<!-- settings: end -->"


def table() -> str:
    """Return a row for each field of `Settings`, then of its table `[detector]`."""
    lines = ["| setting | environment variable | default | meaning, unit |", "|---|---|---|---|"]
    nested = {f"{TABLE}.{name}": one for name, one in DetectorSettings.model_fields.items()}
    plain = {name: one for name, one in Settings.model_fields.items() if name != TABLE}
    for name, field in (plain | nested).items():
        meaning = " ".join([f"{field.description}", *_values(field)])
        variable = f"{PREFIX}{name.upper().replace('.', '__')}"
        lines.append(f"| `{name}` | `{variable}` | {_default(field)} | {meaning} |")
    return "\n".join(lines) + "\n"


def shown(page: str) -> str:
    """Return what a page has between the markers."""
    return page.partition(_BEGIN)[2].partition(_END)[0]


def written(page: str) -> str:
    """Return the page with the present table between the markers."""
    before, begin, rest = page.partition(_BEGIN)
    return f"{before}{begin}{table()}{_END}{rest.partition(_END)[2]}"


def _default(field: FieldInfo) -> str:
    if field.default in (None, ()):
        return "none"
    if isinstance(field.default, tuple):
        return f"`{','.join(field.default)}`"
    text = f"{field.default:,}" if isinstance(field.default, int) else f"{field.default}"
    return f"`{text}`" if isinstance(field.default, str | Path) else text


def _values(field: FieldInfo) -> list[str]:
    """Return sentences with the values that are allowed, where the type names them."""
    low, high = (
        next((getattr(rule, name) for rule in field.metadata if isinstance(rule, kind)), None)
        for kind, name in ((Ge, "ge"), (Le, "le"))
    )
    bounds = f"{low:,} to {high:,}." if high is not None else f"At least {low:,}." if low else ""
    choices = [f"`{choice}`" for choice in _choices(field.annotation)]
    return [text for text in (bounds, f"One of {', '.join(choices)}." if choices else "") if text]


def _choices(annotation: Any) -> tuple[str, ...]:
    """Return the words of a `Literal`, also of one that may be none."""
    parts = get_args(annotation)
    if all(isinstance(part, str) for part in parts):
        return parts
    return next((found for part in parts if (found := _choices(part))), ())


if __name__ == "__main__":
    print(table(), end="")
