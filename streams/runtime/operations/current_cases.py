"""Current cases of files or of the topic, for batch jobs that compare cases."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from schemas.errors import IcsrError
from schemas.link import CaseLink
from schemas.rejected import Rejected
from schemas.release import ReleaseMarker
from schemas.report import Report
from streams.core.cases.from_report import version_of
from streams.core.cases.transitions import CaseVersion, joined
from streams.core.cases.versions import as_released, release_key
from streams.core.duplicates.exact import relink
from streams.core.duplicates.identifiers import CaseIdentifiers, identifiers_of
from streams.core.duplicates.known_cases import KnownCase, MemoryIndex
from streams.core.duplicates.probable import Candidate, candidate_of
from streams.intake.files import read_source
from streams.intake.native import decode_message
from streams.runtime.broker.topic_reader import read_to_end
from streams.runtime.broker.topics import topic_name
from streams.runtime.settings import Settings

__all__ = ["cases_of_files", "cases_of_topic"]

_EPOCH = date(1970, 1, 1)


def cases_of_files(
    sources: Sequence[Path], source_format: str | None, *, horizon: date
) -> dict[str, Candidate]:
    """Return the current cases of files, exact duplicates linked as a replay would link them.

    Links among the messages are applied; unreadable messages are skipped.
    """
    return _current(
        (
            item
            for path in sources
            for _, item in read_source(path, source_format)
            if not isinstance(item, Rejected)
        ),
        horizon,
    )


def cases_of_topic(settings: Settings, *, horizon: date) -> dict[str, Candidate]:
    """Return the current cases of `pv.reports` up to its current end, with their links.

    Reports deleted before they are read are skipped.
    """
    records = read_to_end(settings, topic_name(settings, "reports"))
    return _current((record.value for record in records if record.value), horizon)


def _current(
    messages: Iterable[bytes | Report | ReleaseMarker], horizon: date
) -> dict[str, Candidate]:
    limit = (horizon - _EPOCH).days
    candidates: dict[str, tuple[CaseVersion, Candidate]] = {}
    identified: dict[str, list[KnownCase]] = {}
    latest: dict[str, CaseVersion] = {}
    for message in messages:
        try:
            found = decode_message(message) if isinstance(message, bytes) else message
        except IcsrError:
            continue
        version = version_of(found)
        if max(version.latest_received, version.release) > limit:
            continue
        case_id = version.case_id
        current = latest.get(case_id)
        latest[case_id] = version if current is None else joined(version, current)
        if isinstance(found, CaseLink | ReleaseMarker):
            continue
        before = candidates.get(case_id)
        if before is None or version > before[0]:
            candidates[case_id] = (version, candidate_of(version, found))
        if identifiers := identifiers_of(found):
            identified.setdefault(case_id, []).append(KnownCase(version, identifiers))
    for case_id, version in _with_exact_links(latest, identified).items():
        latest[case_id] = joined(version, latest[case_id])
    for case_id, version in latest.items():
        latest[case_id] = as_released(version, latest.get(release_key(version.scope)))
    return {
        case_id: replace(candidate, version=latest[case_id])
        for case_id, (_, candidate) in candidates.items()
    }


def _with_exact_links(
    latest: dict[str, CaseVersion], identified: dict[str, list[KnownCase]]
) -> dict[str, CaseVersion]:
    nothing = CaseIdentifiers((), (), 0)
    arrived = [case for cases in identified.values() for case in cases]
    arrived += [KnownCase(latest[case_id], nothing) for case_id in identified]
    return {
        case_id: case.version for case_id, case in relink(arrived, MemoryIndex()).updates.items()
    }
