"""Decoders derived from models: what they leave to the model, and when there can be none."""

import re
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, computed_field

from schemas.base import Message
from schemas.fields import fields_decoder


class Inner(Message):
    name: str = "none"
    odd: dict[str, int] | None = None
    within: "Inner | None" = None


class Outer(Message):
    number: int
    plain: Inner = Inner(name="stated")
    odd: Inner = Inner(odd={"x": 1})


def test_fields_left_to_the_model_have_their_defaults_and_turn_away_who_states_them() -> None:
    decoder = fields_decoder(Outer)
    read = decoder.decode(b'{"number": 1}')
    assert (read.number, read.plain.name, read.plain.odd) == (1, "stated", None)
    assert read.odd == Outer(number=1).odd
    assert decoder.decode(b'{"number": 1, "plain": {"name": "x"}}').plain.name == "x"
    for message in (
        b'{"number": 1, "odd": {"odd": null}}',
        b'{"number": 1, "plain": {"within": null}}',
    ):
        assert Outer.model_validate_json(message)
        with pytest.raises(msgspec.ValidationError, match=r"unknown field `(odd|within)`"):
            decoder.decode(message)


def test_integers_beyond_exact_floats_are_left_to_the_model() -> None:
    assert fields_decoder(Outer).decode(b'{"number": -9007199254740992}').number == -(2**53)
    for number in (b"9007199254740993", b"-9007199254740993"):
        with pytest.raises(msgspec.ValidationError, match="Expected `int`"):
            fields_decoder(Outer).decode(b'{"number": ' + number + b"}")


def test_bounds_hold_with_and_without_their_ends() -> None:
    class Bounded(Message):
        loose: int = Field(default=0, ge=-1, le=1)
        strict: int = Field(default=0, gt=-1, lt=1)

    decode = fields_decoder(Bounded).decode
    for name, most in (("loose", 1), ("strict", 0)):
        for value in range(-3, 4):
            message = b'{"%s": %d}' % (name.encode(), value)
            if abs(value) <= most:
                assert getattr(decode(message), name) == value
            else:
                with pytest.raises(msgspec.ValidationError, match="Expected `int` "):
                    decode(message)


class _Loose(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class _Computed(Message):
    @computed_field  # type: ignore[prop-decorator]
    @property
    def one(self) -> int:
        return 1


@pytest.mark.parametrize(
    ("annotation", "rule"),
    [
        (dict[str, int], "dict"),
        (Annotated[str, AfterValidator(str.strip)], "function-after"),
        (Annotated[str, Field(pattern="^a$")], "str"),
        (Annotated[str, Field(pattern="^[A-Z]{2}$", max_length=2)], "str max_length"),
        (Annotated[float, Field(ge=0, gt=1)], "gt ge"),
        (Annotated[float, Field(multiple_of=2)], "float multiple_of"),
        (Annotated[date, Field(le=date(2000, 1, 1))], "date le"),
        (Annotated[date, Field(ge=date(2000, 1, 1))] | None, "date ge"),
        (Annotated[str, Field(strict=False)], "str strict"),
        (Annotated[str, Field(validation_alias="o")], "model-field validation_alias"),
        (Literal["a", 1], "literal"),
        (tuple[str, int], "tuple"),
        (_Loose, "allow_inf_nan extra_fields_behavior strict _Loose"),
        (_Computed, "allow_inf_nan extra_fields_behavior strict _Computed"),
    ],
)
def test_a_rule_that_must_be_asked_and_has_no_counterpart_is_refused(
    annotation: Any, rule: str
) -> None:
    class Odd(Message):
        field: annotation

    message = f"fields_decoder: Odd needs a counterpart of a rule; got {rule!r}"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        fields_decoder(Odd)
