"""The common ground of every message: frozen, strict, closed to unknown fields."""

from functools import cache
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

__all__ = ["Message"]

_set = object.__setattr__


@cache
def _names_of(model: type[BaseModel]) -> set[str]:
    # One set for all: a message is frozen, and a copy of it has a copy of this.
    return set(model.model_fields)


class Message(BaseModel):
    """A value that crosses a boundary. It cannot be changed, coerced, or extended in passing."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def trusted(cls, values: dict[str, Any]) -> Self:
        """Make a message of values that were computed here, without asking its rules again.

        For values that the types of the code vouch for, made by the hundred thousand: validation
        is most of what they cost. What comes from outside is validated; whoever uses this has a
        test that validates what it makes.

        Parameters
        ----------
        values
            Every field, with a value of the field's type; becomes the message's own.
        """
        made = cls.__new__(cls)
        _set(made, "__dict__", values)
        _set(made, "__pydantic_fields_set__", _names_of(cls))
        _set(made, "__pydantic_extra__", None)
        _set(made, "__pydantic_private__", None)
        return made
