"""A reader without the scope finds no cases, and the same answer as for no signal."""

from pathlib import Path

import pytest
from fastapi import HTTPException

from streams.console.cases.case_access import require_cases
from streams.console.frame.rendering import Frame
from streams.delivery.api.tokens import Scope


class _Who:
    def __init__(self, *scopes: Scope) -> None:
        self.scopes = frozenset(scopes)


def _frame(*scopes: Scope) -> Frame:
    frame = object.__new__(Frame)
    object.__setattr__(frame, "who", _Who(*scopes))
    return frame


def test_the_scope_decides() -> None:
    require_cases(_frame(Scope.CASES_READ))
    with pytest.raises(HTTPException, match="no such signal") as refused:
        require_cases(_frame(Scope.ALERTS_READ))
    assert refused.value.status_code == 404


def test_every_page_of_cases_asks_for_it() -> None:
    """Each route function of cases and of the dossier calls it, before it reads a case."""
    folder = Path(__file__).parents[4] / "streams" / "console"
    for path in ("signal/case_routes.py", "dossier/dossier_routes.py"):
        source = (folder / path).read_text("utf-8")
        calls = source.count("require_cases(frame)")
        routes = source.count("@router.get")
        assert calls >= (routes if path.startswith("signal") else 1)
