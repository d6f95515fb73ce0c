"""Retention: expire records, and committed offsets of an inactive group."""

from contextlib import closing

from streams.runtime.broker.clients import make_admin
from streams.runtime.settings import Settings
from tests.broker.support.processes import at


def forget_records(settings: Settings, offset: int, name: str = "reports") -> None:
    """Delete the records of partition 0 before an offset."""
    with closing(make_admin(settings)) as admin:
        admin.delete_records({at(settings, name): offset})


def forget_offsets(settings: Settings, group: str) -> None:
    """Do what a broker does to a group that was away for a week."""
    with closing(make_admin(settings)) as admin:
        admin.delete_groups([group])
