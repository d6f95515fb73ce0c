"""Own subscriptions over HTTP, and their event streams."""

import json
import threading
import time
from contextlib import ExitStack
from datetime import date

import httpx2
import pytest

from schemas.alert import SignalGrade
from schemas.safety_alert import AlertCategory
from schemas.subscription import Tier
from streams.delivery.api.service import Service
from streams.delivery.api.tokens import Scope
from streams.delivery.sending.signing_keys import derived_key
from tests.support.alerts import KEY, copy_of, safety, signal
from tests.support.api_server import Connect, feed, is_problem, token_of


def test_own_subscriptions(service: Service, connect: Connect) -> None:
    mine = connect(token_of(service, Tier.CONSUMER))
    hook = {
        "subscription_id": "hook", "channel": {"kind": "webhook", "url": "https://x.example/"},
        "filters": {"families": ["infection"]}, "digest": "daily",
    }  # fmt: skip
    seen = mine.post("/v1/subscriptions/preview", json=hook).json()
    assert (seen["days"], seen["alerts"]) == (90, 1)
    assert seen["by_category_and_kind"] == {"SDR new": 1}
    made = mine.post("/v1/subscriptions", json=hook)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == "/v1/subscriptions/hook"
    key = made.json()["signing_key"]
    with service.outbox() as outbox:
        (status,) = outbox.statuses()
    assert status.subscription.tier is Tier.CONSUMER
    assert status.subscription.subscriber == "PMDA"
    assert key == derived_key(status.subscription, 1, key=KEY)
    is_problem(mine.post("/v1/subscriptions", json=hook), 409, "exists")
    shown = mine.get("/v1/subscriptions/hook").json()
    assert shown["signing_key"] is None
    newer = mine.post("/v1/subscriptions/hook/rotate").json()
    assert newer["signing_key"] not in (key, None)
    assert newer["subscription"]["channel"]["generations"] == [2, 1]
    assert mine.post("/v1/subscriptions/hook/pause").json()["resting"]
    assert mine.post("/v1/subscriptions/hook/resume").json()["resting"] is None

    other = connect(token_of(service, Tier.AUTHORITY, subscriber="EMA"))
    lower = connect(token_of(service, Tier.PUBLIC))
    for stranger in (other, lower):
        assert stranger.get("/v1/subscriptions").json() == {"subscriptions": []}
        is_problem(stranger.get("/v1/subscriptions/hook"), 404)
        is_problem(stranger.delete("/v1/subscriptions/hook"), 404)
        for verb in ("pause", "resume", "rotate"):
            is_problem(stranger.post(f"/v1/subscriptions/hook/{verb}"), 404)
        is_problem(stranger.get("/v1/subscriptions/hook/events"), 404)
    is_problem(mine.get("/v1/subscriptions/hook/events"), 409, "another channel")
    assert mine.delete("/v1/subscriptions/hook").status_code == 204
    assert mine.get("/v1/subscriptions").json() == {"subscriptions": []}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"tier": "authority"}, 403),  # the token is of the consumer tier
        ({"channel": {"kind": "folder", "path": "/etc"}}, 422),
        ({"channel": {"kind": "topic", "topic": "pv.reports"}}, 422),
        ({"channel": {"kind": "webhook", "url": "http://x.example/"}}, 422),
        ({"channel": {"kind": "webhook", "url": "https://x/", "secrets": ["TIER_KEY"]}}, 422),
        *(
            ({"channel": {"kind": "webhook", "url": url}}, 422)
            for url in (
                "https://a..b/",
                "https://1.1.1.1:99999/",
                "https://[foo/",
                "https://x.example:22/",
                "https://a.example/\x1b[2J",
                f"https://{'a' * 64}.example/",
                "https://127.0.0.1/",
                "https://[64:ff9b::7f00:1]/",
            )
        ),
        ({"filters": {"families": ["infektion"]}}, 422),
        ({"filters": {"windows": ["w"] * 201}}, 422),
        ({"digest": "daily", "budget_per_day": 3}, 422),
        ({"tier": "public", "filters": {"rules": ["ema"]}}, 422),
        ({"tier": "public", "filters": {"grades": ["screening"]}}, 422),
        ({"filters": {"grades": ["red"]}}, 422),
        ({"subscriber": "EMA"}, 422),
        ({"subscription_id": "a b"}, 422),
    ],
)
def test_subscriptions_that_the_api_refuses(
    service: Service, connect: Connect, change: dict[str, object], status: int
) -> None:
    mine = connect(token_of(service, Tier.CONSUMER))
    is_problem(mine.post("/v1/subscriptions", json={"subscription_id": "s", **change}), status)
    with service.outbox() as outbox:
        assert outbox.statuses() == []


def events(client: httpx2.Client, most: int, last: str | None = None) -> list[tuple[str, int]]:
    """Read some events of a stream; each id must be that of its alert."""
    found: list[tuple[str, int]] = []
    headers = {"last-event-id": last} if last else {}
    with client.stream("GET", "/v1/subscriptions/s/events", headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in answer.iter_lines():
            field, _, value = line.partition(": ")
            if field == "id":
                name = value
            elif field == "data":
                body = json.loads(value)
                assert name == body["alert_id"]
                found.append((name, body["revision"]))
                if len(found) == most:
                    return found
    return found


def test_a_stream_continues_after_the_last_event(service: Service, connect: Connect) -> None:
    whole = connect(token_of(service))
    whole.post("/v1/subscriptions", json={"subscription_id": "s"})
    feed(service, [signal(revision=n) for n in (2, 3, 4)])
    first = events(whole, 2)
    assert [revision for _, revision in first] == [2, 3]
    assert [revision for _, revision in events(whole, 1, first[-1][0])] == [4]
    assert [revision for _, revision in events(whole, 3)] == [2, 3, 4]  # from the first
    # An open stream receives later alerts.
    heard: list[tuple[str, int]] = []
    listening = threading.Thread(target=lambda: heard.extend(events(whole, 4)))
    listening.start()
    time.sleep(0.3)
    feed(service, [signal(revision=5)])
    listening.join(20)
    assert [revision for _, revision in heard] == [2, 3, 4, 5]


PREVIEWED = {"subscription_id": "s", "filters": {"products": ["iron", "zinc"]}}


def test_a_stream_begins_with_what_the_preview_counted(service: Service, connect: Connect) -> None:
    old = signal(drug="iron").model_copy(update={"evaluated_on": date(2023, 1, 1)})
    feed(service, [old, *(signal(drug="zinc", revision=n) for n in (1, 2))])
    whole = connect(token_of(service))
    seen = whole.post("/v1/subscriptions/preview", json=PREVIEWED).json()
    assert seen["alerts"] == 2
    feed(service, [signal(drug="lead"), signal(drug="zinc", revision=3)])  # since the preview
    asked = {**PREVIEWED, "after": seen["before_first"]}
    assert whole.post("/v1/subscriptions", json=asked).status_code == 201
    feed(service, [signal(drug="zinc", revision=4)])
    assert [revision for _, revision in events(whole, 4)] == [1, 2, 3, 4]


def test_a_stream_continues_where_the_preview_ended(service: Service, connect: Connect) -> None:
    feed(service, [signal(drug="zinc"), safety(AlertCategory.FACILITY_CLUSTER, subject="C-A")])
    public = connect(token_of(service, Tier.PUBLIC))
    seen = public.post("/v1/subscriptions/preview", json=PREVIEWED).json()
    assert seen["after_last"] == copy_of(Tier.PUBLIC, signal(drug="zinc"))["alert_id"]
    # Within its band a revision is none for the public.
    feed(service, [signal(n, drug="zinc", revision=n) for n in (8, 20)] + [signal(drug="lead")])
    asked = {**PREVIEWED, "after": seen["after_last"]}
    assert public.post("/v1/subscriptions", json=asked).status_code == 201
    feed(service, [signal(n, drug="zinc", revision=n) for n in (50, 60)])
    assert [revision for _, revision in events(public, 2)] == [2, 3]


def test_an_alert_that_is_fed_while_a_subscription_begins_is_sent_once(
    service: Service, connect: Connect
) -> None:
    whole = connect(token_of(service))
    alert = signal(drug="zinc")
    with service.model() as model, service.outbox() as outbox:
        model.put(alert, source="f", position=1)  # the feed is between its two files
        seen = whole.post("/v1/subscriptions/preview", json=PREVIEWED).json()
        asked = {**PREVIEWED, "after": seen["before_first"]}
        assert whole.post("/v1/subscriptions", json=asked).status_code == 201
        outbox.put(alert, source="f", position=1, now=service.now())
        assert outbox.statuses("s")[0].waiting == 1
        # Another process delivered an alert that the server has not read yet.
        outbox.put(signal(drug="iron"), source="f", position=2, now=service.now())
        again = {**asked, "subscription_id": "t"}
        is_problem(whole.post("/v1/subscriptions", json=again), 503, "try again")
        assert outbox.statuses("t") == []


@pytest.mark.parametrize("cursor", ["", "x", "beginning"])
def test_a_subscription_begins_with_a_cursor_of_a_preview_only(
    service: Service, connect: Connect, cursor: str
) -> None:
    whole = connect(token_of(service))
    refused = whole.post("/v1/subscriptions", json={**PREVIEWED, "after": cursor})
    is_problem(refused, 422, "after: must be a cursor of a preview")
    assert whole.get("/v1/subscriptions").json() == {"subscriptions": []}


def test_a_stream_has_the_grades_that_are_asked_for(service: Service, connect: Connect) -> None:
    whole = connect(token_of(service))
    asked = {"subscription_id": "s", "filters": {"grades": ["screening"]}}
    feed(service, [signal(drug="iron", grade=SignalGrade.SCREENING)])
    seen = whole.post("/v1/subscriptions/preview", json=asked).json()
    assert seen["by_category_and_kind"] == {"SDR new": 1}
    assert whole.post("/v1/subscriptions", json=asked).status_code == 201
    feed(service, [signal(drug="zinc"), signal(drug="lead", grade=SignalGrade.SCREENING)])
    feed(service, [signal(drug="lead", revision=2)])
    ids = [name for name, _ in events(whole, 2)]
    assert [name.partition("|")[0] for name in ids] == ["lead", "lead"]


def test_a_stream_ends_with_its_token_and_their_number_is_limited(
    service: Service, connect: Connect
) -> None:
    token = token_of(service)
    whole = connect(token)
    whole.post("/v1/subscriptions", json={"subscription_id": "s"})
    path = "/v1/subscriptions/s/events"
    with ExitStack() as streams:
        four = [streams.enter_context(whole.stream("GET", path)) for _ in range(4)]
        assert {answer.status_code for answer in four} == {200}
        is_problem(whole.get(path), 429, "4 streams")
        with service.tokens() as store:
            store.revoke(token.split("_")[1], service.now())
        for answer in four:
            answer.read()  # the stream ends


HOOK = {"subscription_id": "hook", "channel": {"kind": "webhook", "url": "https://x.example/"}}


def test_a_webhook_or_a_preview_needs_the_right_to_read(service: Service, connect: Connect) -> None:
    writer = connect(token_of(service, scopes=[Scope.SUBSCRIPTIONS_WRITE]))
    for path in ("", "/preview"):
        is_problem(writer.post(f"/v1/subscriptions{path}", json=HOOK), 403, "alerts:read")
    assert connect(token_of(service)).post("/v1/subscriptions", json=HOOK).status_code == 201
    writer.post("/v1/subscriptions/hook/pause")
    is_problem(writer.post("/v1/subscriptions/hook/resume"), 403, "alerts:read")


def test_names_of_other_subscribers_are_not_told(service: Service, connect: Connect) -> None:
    mine = connect(token_of(service))
    other = connect(token_of(service, subscriber="EMA"))
    keys = [one.post("/v1/subscriptions", json=HOOK).json()["signing_key"] for one in (mine, other)]
    assert len(set(keys)) == 2
    is_problem(other.post("/v1/subscriptions", json=HOOK), 409, "of yours")
    assert other.post("/v1/subscriptions/hook/pause").status_code == 200
    assert mine.get("/v1/subscriptions/hook").json()["resting"] is None
    assert other.delete("/v1/subscriptions/hook").status_code == 204
    assert mine.get("/v1/subscriptions/hook").status_code == 200
    again = other.post("/v1/subscriptions", json=HOOK).json()["signing_key"]
    assert again not in keys


def test_a_revoked_token_pauses_what_it_made_until_another_takes_it_over(
    service: Service, connect: Connect
) -> None:
    token = token_of(service)
    connect(token).post("/v1/subscriptions", json=HOOK)
    with service.tokens() as store:
        store.revoke(token.split("_")[1], service.now())
    mine = connect(token_of(service))
    reason = mine.get("/v1/subscriptions/hook").json()["resting"]
    assert reason == f"the token {token.split('_')[1]} that made it was revoked on 2024-06-01"
    assert mine.post("/v1/subscriptions/hook/resume").json()["resting"] is None
    assert mine.get("/v1/subscriptions/hook").json()["resting"] is None


def test_a_stream_ends_when_its_token_may_no_longer_read(
    service: Service, connect: Connect
) -> None:
    token = token_of(service)
    whole = connect(token)
    whole.post("/v1/subscriptions", json={"subscription_id": "s"})
    with whole.stream("GET", "/v1/subscriptions/s/events", timeout=20) as answer:
        with service.tokens() as store:
            store.narrow(token.split("_")[1], scopes=frozenset({Scope.SUBSCRIPTIONS_WRITE}))
        answer.read()  # the stream ends


def test_a_token_has_a_limited_number_of_subscriptions(service: Service, connect: Connect) -> None:
    whole = connect(token_of(service))
    for n in range(20):
        made = whole.post("/v1/subscriptions", json={"subscription_id": f"s{n}"})
        assert made.status_code == 201
    refused = whole.post("/v1/subscriptions", json={"subscription_id": "more"})
    is_problem(refused, 422, "a token may have made 20")


def test_streams_that_are_asked_for_at_once_share_the_slots(
    service: Service, connect: Connect
) -> None:
    token = token_of(service)
    whole = connect(token)
    whole.post("/v1/subscriptions", json={"subscription_id": "s"})
    path, number = "/v1/subscriptions/s/events", 24
    statuses: list[int] = []
    begin, end = threading.Barrier(number), threading.Event()

    def follow() -> None:
        client = connect(token)
        begin.wait()
        with client.stream("GET", path, timeout=20) as answer:
            statuses.append(answer.status_code)
            end.wait(20)

    threads = [threading.Thread(target=follow) for _ in range(number)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while len(statuses) < number and time.monotonic() < deadline:
        time.sleep(0.05)
    end.set()
    for thread in threads:
        thread.join(20)
    assert sorted(statuses) == [200] * 4 + [429] * 20
    # The slots are given back.
    with service.outbox() as outbox:
        outbox.unsubscribe("s")
    whole.post("/v1/subscriptions", json={"subscription_id": "s"})
    deadline = time.monotonic() + 10
    while True:
        with whole.stream("GET", path, timeout=20) as answer:
            if answer.status_code == 200:
                break
        assert time.monotonic() < deadline
        time.sleep(0.1)
