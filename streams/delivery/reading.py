"""Alerts from a file of JSON lines, each with its place."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from schemas.alert import Alert
from schemas.errors import InputError
from schemas.safety_alert import SafetyAlert
from streams.intake.native import read_lines

__all__ = ["AnyAlert", "read_alert_lines"]

AnyAlert = Alert | SafetyAlert
_ALERTS: TypeAdapter[AnyAlert] = TypeAdapter(AnyAlert)


def read_alert_lines(path: Path, start: int = 0) -> Iterator[tuple[int, AnyAlert]]:
    """Yield the alerts of a file from a line on, each with the number of its line.

    Raises
    ------
    InputError
        If the file cannot be read, or a line is no alert: then nothing after it is read.
    """
    if not path.is_file():
        msg = f"{path}: must be a file of alerts; got no file"
        raise InputError(msg)
    for number, line in read_lines(path):
        if number < start:
            continue
        try:
            yield number, _ALERTS.validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            msg = f"{path}, line {number}: must be an alert; got {first['msg']}"
            raise InputError(msg) from error
