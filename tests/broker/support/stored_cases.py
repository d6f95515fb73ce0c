"""Cases that a worker has stored, and the cases expected from its input."""

from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from schemas.report import Report
from streams.core.cases.from_report import case_version
from streams.core.cases.versions import CaseVersion
from streams.runtime.settings import Settings
from streams.runtime.state.case_store import RocksStore


def stored_cases(settings: Settings, folder: str = "0") -> dict[str, CaseVersion]:
    """Read the store of a partition, whose worker must have ended."""
    with RocksStore(Path(settings.state_dir) / "cases" / folder, None) as store:
        return {version.case_id: version for version in store.versions()}


def expected_cases(messages: Iterable[Report]) -> dict[str, CaseVersion]:
    """Count again: of every case the greatest version, of a nullified one what it voided."""
    versions = sorted(map(case_version, messages))
    stated = {version.case_id: version for version in versions if not version.nullified}
    return {
        version.case_id: replace(version, voided=(stated[version.case_id],))
        if version.nullified and version.case_id in stated
        else version
        for version in versions
    }
