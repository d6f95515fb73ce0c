"""Links in any history: what counts is what a recount by hand counts, however it is cut."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.link import CaseLink
from streams.core.cases.from_report import case_version, link_version
from streams.core.cases.transitions import CaseVersion, advance
from tests.support.law.histories import Arrival, case_links, reports
from tests.support.law.recount import latest_versions


@settings(deadline=None, max_examples=300)
@given(
    cases=st.lists(reports(), max_size=6),
    links=st.lists(case_links(), max_size=16),
    size=st.integers(1, 8),
    data=st.data(),
)
def test_links_keep_out_what_the_recount_keeps_out(
    cases: list[Arrival], links: list[Arrival], size: int, data: st.DataObject
) -> None:
    arrived = data.draw(st.permutations(cases + links))
    stored: dict[str, CaseVersion] = {}
    inside: Counter[str] = Counter()
    population: Counter[str] = Counter()
    for at in range(0, len(arrived), size):
        batch = [
            link_version(each) if isinstance(each, CaseLink) else case_version(each)
            for each in arrived[at : at + size]
        ]
        step = advance(batch, stored)
        stored |= step.updates
        for case_id, n in step.changes.select("case_id", "n").iter_rows():
            inside[case_id] += n
        population.update(step.population)
        latest = latest_versions(arrived[: at + size])
        counted = {case_id for case_id, case in latest.items() if not case.excluded}
        assert dict(+inside) == dict.fromkeys(counted, 1)
        assert not -inside
        assert +population == Counter(case.excluded or "counted" for case in latest.values())
