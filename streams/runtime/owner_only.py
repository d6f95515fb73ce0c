"""Files and folders with patient data: readable and writable by their owner only.

The mode is given at creation, so that no other user can open the file in between, whatever the
umask. An existing one that others may read or write is narrowed, and one line says so.
"""

import logging
import os
import stat
from pathlib import Path

__all__ = ["owner_only_file", "owner_only_folder"]

_LOG = logging.getLogger(__name__)
_FILE, _FOLDER = 0o600, 0o700


def owner_only_file(path: Path) -> None:
    """Create an empty file that only its owner may open, or narrow the mode of an existing one.

    Raises
    ------
    OSError
        If it can be neither created nor narrowed.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _FILE))
    except FileExistsError:
        _narrow(path, _FILE)


def owner_only_folder(path: Path) -> None:
    """Create a folder that only its owner may enter, or narrow the mode of an existing one.

    Missing parents are created with the usual mode.

    Raises
    ------
    OSError
        If it can be neither created nor narrowed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(_FOLDER)
    except FileExistsError:
        _narrow(path, _FOLDER)


def _narrow(path: Path, mode: int) -> None:
    found = path.stat()
    wider = stat.S_IMODE(found.st_mode)
    if not wider & 0o077 or not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        return
    path.chmod(wider & mode)
    _LOG.warning("%s: may hold patient data: was %04o, is now %04o", path, wider, wider & mode)
