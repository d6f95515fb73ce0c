"""What changed between revisions: cases in and out, and estimates with their bounds."""

from streams.console.signal.changes import Interval, changes, component
from tests.support.alerts import signal
from tests.support.signal_pages import ReplayedDesk


def test_named_cases_come_and_leave(amended: ReplayedDesk) -> None:
    of_pair = [one for one in amended.alerts if one.signal_key == "zinc|rash|cumulative"]
    found = changes(of_pair[3], of_pair[2])
    assert (found.n_more, found.came, found.left) == (-1, (), ("Z003",))
    found = changes(of_pair[6], of_pair[4])
    assert found.n_more == 5
    assert found.came == ("Z006", "Z007", "Z008", "Z009", "Z010")


def test_the_first_revision_has_nothing_before_it(amended: ReplayedDesk) -> None:
    first = changes(amended.alerts[0], None)
    assert (first.n_more, first.came, first.left, first.component_before) == (None, (), (), None)


def test_cases_beyond_those_named_are_not_listed() -> None:
    now = signal(5).model_copy(update={"case_ids": ("A",)})
    found = changes(now, signal(3))
    assert (found.listed, found.came, found.left) == (False, (), ())


def test_an_estimate_is_printed_with_its_bounds(amended: ReplayedDesk) -> None:
    alert = amended.alerts[0]
    statistics = alert.statistics
    printed = component(statistics)
    assert printed is not None
    assert printed.value == f"{statistics.ic:.2f}".replace("-", "−")
    assert printed.brackets == (
        f"[{statistics.ic_lower:.2f}, {statistics.ic_upper:.2f}]".replace("-", "−")
    )
    assert component(statistics.model_copy(update={"ic": None})) is None
    assert Interval("1.0", None, "2.0").brackets == ""
