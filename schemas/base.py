"""Base class of every message: frozen, strict, unknown fields are forbidden."""

from functools import cache
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

__all__ = ["Message"]

_set = object.__setattr__


@cache
def _names_of(model: type[BaseModel]) -> set[str]:
    # Shared by all instances: messages are frozen, and `model_copy` copies the set.
    return set(model.model_fields)


class Message(BaseModel):
    """Immutable message between components: no coercion, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def trusted(cls, values: dict[str, Any]) -> Self:
        """Build a message from values computed in this process, without validation.

        For values guaranteed by static types and built by the hundred thousand, since validation
        is most of their cost. Input from outside is always validated; each caller has a test that
        validates its result.

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
