"""The current cases of files: the latest versions, with links of identifiers and of people."""

from datetime import date
from pathlib import Path

from schemas.link import CaseLink
from schemas.release import ReleaseMarker
from schemas.report import Patient, Report
from streams.core.cases.link_decisions import is_linked_away
from streams.core.duplicates.probable import Candidate, records_frame
from streams.runtime.operations.current_cases import cases_of_files
from tests.support.reports import DAY, make_report
from tests.support.versions import make_link, make_marker, make_release


def current(
    folder: Path, *messages: Report | CaseLink | ReleaseMarker | bytes
) -> dict[str, Candidate]:
    lines = [
        message if isinstance(message, bytes) else message.model_dump_json().encode()
        for message in messages
    ]
    path = folder / "reports.jsonl"
    path.write_bytes(b"\n".join(lines))
    return cases_of_files([path], None, horizon=DAY)


def away(cases: dict[str, Candidate]) -> set[str]:
    return {name for name, case in cases.items() if is_linked_away(case.version.links)}


def test_the_latest_version_of_every_case_whatever_came_last(tmp_path: Path) -> None:
    latest = make_report("A", version=2, drugs=["iron"], patient=Patient(age_years=40.0))
    cases = current(tmp_path, latest, make_report("A"), make_report("B"))
    assert {name: case.version.drugs for name, case in cases.items()} == {"A": "iron", "B": "zinc"}
    assert (cases["A"].age, cases["B"].age) == (40.0, None)


def test_what_cannot_be_read_or_lies_in_the_future_is_passed_over(tmp_path: Path) -> None:
    late = make_report("L", latest_received=date(2024, 3, 1))
    assert set(current(tmp_path, make_report("A"), b"{", late)) == {"A"}


def test_links_are_those_of_a_replay_and_of_people(tmp_path: Path) -> None:
    cases = current(
        tmp_path,
        make_link(case_id="C", basis="manual"),
        make_link(case_id="Z", basis="manual"),  # a case that nobody reported
        make_report("A", worldwide_id="JP-X-1"),
        make_report("B", worldwide_id="JP-X-1"),
        make_report("C"),
    )
    assert set(cases) == {"A", "B", "C"}
    assert away(cases) == {"B", "C"}


def test_a_withdrawn_case_may_not_be_linked(tmp_path: Path) -> None:
    cases = current(
        tmp_path,
        make_report("A", release=make_release(1)),
        make_report("B", release=make_release(2)),
        make_marker(2),
        make_marker(3),  # in the future
        make_report("C", release=make_release(1, "vaers/2023")),
    )
    assert {name for name, case in cases.items() if case.version.withdrawn} == {"A"}
    assert records_frame(cases.values())["unique_id"].to_list() == ["B", "C"]
