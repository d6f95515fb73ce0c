"""Anchors of the audit log outside it: on the topic `pv.audit`, in exports, or a noted hash.

A decision is never refused because its anchor could not be kept: one line says so, and the anchor
of the next decision covers it too, since hashes are chained.
"""

import io
import logging
import re
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from pydantic import ValidationError

from schemas.audit_anchor import AuditAnchor
from schemas.errors import BrokerError, InputError, StateError
from streams.runtime.broker.topic_reader import read_to_end
from streams.runtime.broker.topic_writer import TopicWriter
from streams.runtime.broker.topics import topic_name
from streams.runtime.settings import Settings

__all__ = [
    "anchor_line",
    "hashes_in_export",
    "keep_anchor",
    "names_broker",
    "read_anchors",
]

_LOG = logging.getLogger(__name__)
_LINE = re.compile(r"audit log of (\d+) entries, last hash ([0-9a-f]{64})")


def names_broker(settings: Settings) -> bool:
    """Return whether the settings name a broker, by flag, file or environment."""
    return "bootstrap" in settings.model_fields_set


def keep_anchor(settings: Settings, anchor: AuditAnchor) -> None:
    """Publish an anchor on `pv.audit`; log a warning if it was not acknowledged."""
    try:
        with closing(TopicWriter(settings)) as writer:
            writer.write(topic_name(settings, "audit"), "", anchor.model_dump_json().encode())
    except BrokerError as error:
        _LOG.warning(
            "decision %d is logged, but its hash is not anchored: %s. The anchor of the next "
            "decision covers it",
            anchor.number,
            error,
        )


def read_anchors(settings: Settings) -> Iterator[AuditAnchor]:
    """Yield the anchors on `pv.audit`, in order.

    Raises
    ------
    BrokerError
        If the topic cannot be read.
    StateError
        If a record is no anchor: only those who decide may write to the topic.
    """
    topic = topic_name(settings, "audit")
    for record in read_to_end(settings, topic):
        try:
            yield AuditAnchor.model_validate_json(record.value or b"")
        except ValidationError as error:
            msg = (
                f"{topic}, offset {record.offset}: must be an anchor of an audit log; got "
                "other bytes: find out who wrote them"
            )
            raise StateError(msg) from error


def anchor_line(n_entries: int, last_hash: str) -> str:
    """Return the line that states in an export how far the audit log had got."""
    return f"audit log of {n_entries} entries, last hash {last_hash}"


def hashes_in_export(path: Path) -> list[tuple[int, str]]:
    """Return number and hash of the entries that an export names, CSV, XLSX or text.

    Raises
    ------
    InputError
        If it names none, or cannot be read.
    """
    try:
        raw = path.read_bytes()
        if zipfile.is_zipfile(io.BytesIO(raw)):
            with zipfile.ZipFile(io.BytesIO(raw)) as sheets:
                raw = b"\n".join(sheets.read(name) for name in sheets.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        msg = f"--anchor {path}: must be a hash of 64 hexadecimal digits or an export; got {error}"
        raise InputError(msg) from error
    found = _LINE.findall(raw.decode("utf-8", "replace"))
    if not found:
        msg = f"--anchor {path}: must state the last hash of an audit log; got none in the file"
        raise InputError(msg)
    return [(int(number), digest) for number, digest in found]
