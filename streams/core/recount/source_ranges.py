"""Offsets that the messages of files have in the log of a replay."""

from collections.abc import Iterable
from typing import NamedTuple

from schemas.alert import Alert
from schemas.errors import InputError

__all__ = ["SourceRange", "require_sources"]


class SourceRange(NamedTuple):
    """A file, and the offsets of its messages: from `first` up to, excluding, `end`."""

    name: str
    first: int
    end: int


def require_sources(where: str, alerts: Iterable[Alert], ranges: list[SourceRange]) -> None:
    """Require that files hold all messages before the offsets of alerts.

    Parameters
    ----------
    alerts
        Alerts of a replay. Those of a live run with several partitions are passed over: their
        offsets say nothing of files.
    ranges
        The files in the order of the replay.

    Raises
    ------
    InputError
        If alerts were made from messages beyond the last file: one is missing. The message names
        the files with their offsets.
    """
    end = ranges[-1].end if ranges else 0
    ends = [
        at.next_offset
        for alert in alerts
        for at in alert.as_of
        if len(alert.as_of) == 1 and at.partition == 0
    ]
    beyond = [one for one in ends if one > end]
    if beyond:
        held = ", ".join(
            f"{name} from {first:,} to {last - 1:,}" if last > first else f"{name} with none"
            for name, first, last in ranges
        )
        msg = (
            f"{where}: --source must name every file of the replay, in its order: the alerts were "
            f"made from the messages 0 to {max(beyond) - 1:,}; got {held}. Messages {end:,} to "
            f"{max(beyond) - 1:,} are missing, which {len(beyond):,} of {len(ends):,} alerts need"
        )
        raise InputError(msg)
