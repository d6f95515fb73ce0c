"""Difference of two revisions: counts, measures, rules and duties of both."""

from streams.console.signal.difference import difference
from streams.core.wording.catalogue import Language
from tests.support.signal_pages import ReplayedDesk, address_of


def test_counts_and_rules_of_both_revisions(amended: ReplayedDesk) -> None:
    of_pair = [one for one in amended.alerts if one.signal_key == "zinc|rash|cumulative"]
    before, now = of_pair[2], of_pair[6]
    found = difference(before, now.model_copy(update={"rules_fired": ()}), Language.ENGLISH)
    rows = {row.name: (row.was, row.now) for row in found.counts}
    assert rows["count_n_observed"] == (before.counts.n_observed, now.counts.n_observed)
    assert rows["count_n_fatal"] == (0, 1)
    assert (found.rules_on, found.rules_off) == ((), ("MHRA",))
    assert found.changes.came == ("Z006", "Z007", "Z008", "Z009", "Z010")
    assert found.changes.left == ("Z003", "Z005")
    assert [table.comparator.value for table in found.tables] == ["all", "strata"]


def test_the_page_shows_both_and_asks_for_known_revisions_alone(amended: ReplayedDesk) -> None:
    alert = amended.alerts[-1]
    page = amended.get(address_of(alert, "/diff/3..7"))
    rows = page.rows("data-count")
    assert rows["count_n_observed"][1:] == ["5", "8"]
    assert rows["count_n_fatal"][1:] == ["0", "1"]
    assert amended.get(address_of(alert, "/diff/3..9")).status == 404
    known = address_of(alert, "/diff/3..7?as_of=2024-01-25")
    assert amended.get(known).status == 404  # revision 7 was not known
