"""The order of a page is kept while signals change, and rows are of the latest revisions."""

from schemas.subscription import Tier
from streams.console.worklist.view import Sort, Tab, View
from streams.console.worklist.worklist import Worklist
from streams.core.wording.catalogue import Language
from streams.delivery.api.service import Service
from tests.support.many_signals import LAST_DAY, desk_of, many_signals, next_revision, store

VIEW = View(Tab.ON, sort=Sort.CASES)
COPIES = {copy["signal_key"]: copy for copy in many_signals(300)}
TIER = Tier.AUTHORITY


def order(worklist: Worklist, position: int | None = None) -> list[str]:
    return worklist.ask(VIEW, "", TIER, position=position).listing.rows["key"].to_list()


def changed(service: Service, worklist: Worklist) -> str:
    """Store a revision that puts the last signal first; return its key."""
    key = order(worklist)[-1]
    copy = next_revision(COPIES[key], 1)
    with service.model() as model:
        store(model, [copy | {"counts": copy["counts"] | {"n_observed": 5_000}}])
    worklist.signals(TIER)
    live = worklist._live[TIER]
    live._read_at = None  # as a second later
    return key


def test_a_page_goes_on_in_its_own_order(service: Service) -> None:
    worklist = Worklist(desk_of(service))
    position = worklist.signals(TIER).position
    before = order(worklist)
    key = changed(service, worklist)
    after = order(worklist)
    assert key in after[:5]
    assert order(worklist, position) == before
    assert set(after) == set(before)


def test_another_server_goes_on_in_the_order_of_now(service: Service) -> None:
    position = Worklist(desk_of(service)).signals(TIER).position
    worklist = Worklist(desk_of(service))
    key = changed(service, worklist)
    order(worklist)
    assert key in order(Worklist(desk_of(service)), position)[:5]


def test_rows_of_a_kept_order_have_the_latest_numbers(service: Service) -> None:
    worklist = Worklist(desk_of(service))
    position = worklist.signals(TIER).position
    order(worklist)
    key = changed(service, worklist)
    asked = worklist.ask(VIEW, "", TIER, position=position)
    row = worklist.rows(asked, asked.listing.places[key], 1, Language.ENGLISH)[0]
    assert (row.key, row.n_cases, row.revision) == (key, "5,000", 2)
    assert worklist.rows(asked, 299, 100, Language.ENGLISH)[0].place == 299
    assert worklist.rows(asked, 300, 100, Language.ENGLISH) == []


def test_the_day_is_that_of_the_replay_else_today(service: Service) -> None:
    desk = desk_of(service)
    assert Worklist(desk).day() == LAST_DAY
    desk.intake.replayed = False
    assert Worklist(desk).day() == service.now().date()
