"""Zip files for tests, from members written by hand."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

ArchiveOf = Callable[[str, Mapping[str, str | bytes]], Path]
"""The fixture `archive_of`: write a zip file of this name with these members."""


def write_zip(path: Path, members: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for member, content in members.items():
            zipped.writestr(member, content)
    return path
