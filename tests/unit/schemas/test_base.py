"""What crosses a boundary: it cannot be changed, coerced or extended in passing."""

import pytest
from pydantic import Field, ValidationError

from schemas.base import Message


class Point(Message):
    x: int
    y: float = Field(default=0.5)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"x": "1"}, "valid integer"),
        ({"x": 1.0}, "valid integer"),
        ({"x": 1, "y": float("inf")}, "finite number"),
        ({"x": 1, "y": float("nan")}, "finite number"),
        ({"x": 1, "z": 2}, "Extra inputs are not permitted"),
        ({}, "Field required"),
    ],
)
def test_a_value_of_another_type_or_name_is_refused(fields: dict[str, object], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        Point.model_validate(fields)


def test_a_message_cannot_be_changed() -> None:
    point = Point(x=1)
    with pytest.raises(ValidationError, match="frozen"):
        point.x = 2  # type: ignore[misc]
