"""Links of a log that one process reads: they come before their cases count."""

from schemas.report import Report
from streams.core.cases.from_report import case_version
from streams.core.cases.transitions import advance
from streams.core.cases.versions import CaseVersion
from streams.core.duplicates.exact import MOST_SHARING
from streams.core.duplicates.identifiers import identifiers_of
from streams.core.duplicates.inline import InlineLinks
from streams.core.duplicates.known_cases import KnownCase
from tests.support.reports import make_report


class Log:
    """Cases that are linked and counted batch by batch."""

    def __init__(self) -> None:
        self.stored: dict[str, CaseVersion] = {}
        self.links = InlineLinks(
            lambda ids: {each: self.stored[each] for each in ids if each in self.stored}
        )

    def add(self, *reports: Report) -> list[tuple[str, bool]]:
        """Return the links that came of a batch: which case, and whether it is linked now."""
        versions = [case_version(report) for report in reports]
        stated = [
            KnownCase(version, identifiers)
            for report, version in zip(reports, versions, strict=True)
            if (identifiers := identifiers_of(report))
        ]
        found = self.links.links(versions, stated)
        self.stored |= advance([*versions, *found], self.stored).updates
        return [(link.case_id, link.links[0].state == "applied") for link in found]


def test_reports_without_identifiers_link_nothing() -> None:
    log = Log()
    assert log.add(make_report("A"), make_report("B")) == []


def test_the_second_case_of_a_number_is_linked_in_its_own_batch_or_a_later_one() -> None:
    for batches in ([["A", "B"]], [["A"], ["B"]]):
        log = Log()
        found = [
            log.add(*(make_report(name, worldwide_id="JP-X-1") for name in batch))
            for batch in batches
        ]
        assert [link for links in found for link in links] == [("B", True)]


def test_a_version_that_no_longer_states_the_number_takes_the_link_back() -> None:
    log = Log()
    log.add(make_report("A", worldwide_id="JP-X-1"), make_report("B", worldwide_id="JP-X-1"))
    assert log.add(make_report("B", version=2)) == [("B", False)]


def test_a_late_old_version_does_not_state_what_a_later_one_took_back() -> None:
    log = Log()
    log.add(make_report("A", worldwide_id="JP-X-1"), make_report("B", version=2))
    assert log.add(make_report("B", worldwide_id="JP-X-1")) == []


def test_a_number_of_too_many_cases_is_refused_and_counted() -> None:
    log = Log()
    every = [make_report(f"C{n:02}", worldwide_id="JP-X-1") for n in range(MOST_SHARING + 1)]
    assert len(log.add(*every[:-1])) == MOST_SHARING - 1
    assert log.links.refused == 0
    undone = log.add(every[-1])
    assert log.links.refused == 1
    assert {linked for _, linked in undone} == {False}
