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
    """Expire the committed offsets of a group, as a broker does after a week."""
    with closing(make_admin(settings)) as admin:
        admin.delete_groups([group])
