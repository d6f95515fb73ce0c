"""Errors that an operator or a sender can act on, and the codes of rejects."""

import pytest

from schemas import errors
from schemas.errors import IcsrError, RefusedValue, RejectCode, TocsinError


def test_every_error_of_ours_is_one_and_says_what_to_do() -> None:
    found = [value for name, value in vars(errors).items() if name.endswith("Error")]
    ours = [error for error in found if error.__module__ == errors.__name__]
    assert len(ours) > 5
    for error in ours:
        assert issubclass(error, TocsinError)
        assert error.__doc__


@pytest.mark.parametrize("error", [IcsrError, RefusedValue])
def test_a_refusal_carries_its_code_beside_its_sentence(
    error: type[IcsrError | RefusedValue],
) -> None:
    refusal = error("a sentence", RejectCode.KEY)
    assert (str(refusal), refusal.code) == ("a sentence", RejectCode.KEY)
