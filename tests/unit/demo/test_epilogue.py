"""The epilogue is versions of cases of the story, in order."""

from schemas.report import Report
from schemas.vocabulary import Outcome, RevisionKind
from streams.demo import story
from streams.demo.epilogue import epilogue


def test_it_follows_up_and_nullifies_cases_of_the_story() -> None:
    told = {entry.item.case_id: entry.item for entry in story() if isinstance(entry.item, Report)}
    follow_up, *nullified = epilogue()
    before = told[follow_up.case_id]
    assert (follow_up.version, follow_up.first_received) == (2, before.first_received)
    assert {reaction.outcome for reaction in follow_up.reactions} == {Outcome.RECOVERED}
    assert [one.case_id for one in nullified] == ["NE-1", "NE-2"]
    assert [one.version for one in nullified] == [3, 2]
    for one in nullified:
        assert one.revision is not None
        assert one.revision.kind is RevisionKind.NULLIFICATION
        assert one.latest_received > follow_up.latest_received > before.latest_received
