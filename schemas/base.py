"""The common ground of every message: frozen, strict, closed to unknown fields."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Message"]


class Message(BaseModel):
    """A value that crosses a boundary. It cannot be changed, coerced, or extended in passing."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
