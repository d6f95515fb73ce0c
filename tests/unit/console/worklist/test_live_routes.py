"""Messages of the live line: what is counted, and for whom."""

import json
from threading import Thread

import httpx2

from schemas.subscription import Tier
from streams.console.frame.texts import texts_in
from streams.console.worklist.live_routes import Newer
from streams.core.wording.catalogue import Language
from streams.delivery.api.service import Service
from tests.support.browser.servers import serving_application
from tests.support.many_signals import desk_app, desk_of, many_signals, next_revision, store

EN = texts_in(Language.ENGLISH)
COPIES = list(many_signals(300))


def newer(service: Service, tier: Tier = Tier.AUTHORITY) -> Newer:
    with service.model() as model:
        return Newer(desk_of(service), tier, model.last_position())


def test_it_counts_revisions_and_names_their_signals_once(service: Service) -> None:
    found = newer(service)
    assert not found.read()
    with service.model() as model:
        store(model, [next_revision(COPIES[0], 1), next_revision(COPIES[0], 2)])
        store(model, [next_revision(COPIES[1], 1)])
    assert found.read()
    message = json.loads(found.message(EN))
    assert (message["changed"], message["until"]) == (3, 303)
    assert message["keys"] == [COPIES[0]["signal_key"], COPIES[1]["signal_key"]]
    assert message["text"].startswith("3 newer revisions are there.")
    assert not found.read()
    with service.model() as model:
        store(model, [next_revision(COPIES[2], 1)])
    assert found.read()
    assert json.loads(found.message(EN))["keys"] == [COPIES[2]["signal_key"]]
    assert found.changed == 4


def test_the_public_is_told_of_no_count(service: Service) -> None:
    public = Newer(desk_of(service), Tier.PUBLIC, 0, changed=7, keys=["a"])
    message = json.loads(public.message(EN))
    assert message == {"changed": None, "text": "Something changed. Your rows stay where they are."}


def test_other_tiers_revisions_are_not_counted(service: Service) -> None:
    found = newer(service, Tier.CONSUMER)
    with service.model() as model:
        store(model, [next_revision(COPIES[0], 1)])
    assert not found.read()


def test_the_line_is_a_stream_of_events(service: Service) -> None:
    def arrive() -> None:
        with service.model() as model:
            store(model, [next_revision(COPIES[0], 1)])

    with serving_application(desk_app(desk_of(service))) as address:
        arriving = Thread(target=arrive)
        with (
            httpx2.Client(trust_env=False, timeout=20) as client,
            client.stream("GET", f"{address}/desk/live?position=300") as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            arriving.start()
            line = next(each for each in answer.iter_lines() if each.startswith("data: "))
        arriving.join()
    assert json.loads(line.removeprefix("data: "))["changed"] == 1
