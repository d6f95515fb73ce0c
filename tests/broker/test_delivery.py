"""`tocsin deliver` from a real topic of alerts to subscribers' topics, killed in between."""

import itertools
import json
from contextlib import closing
from datetime import date
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from schemas.notice import Notice, NoticeKind
from schemas.report import Report
from schemas.subscription import OwnTopic, Tier
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.api.tokens import Scope, TokenStore
from streams.delivery.outbox import Outbox
from streams.runtime.broker.clients import make_admin, make_producer
from streams.runtime.broker.topic_reader import read_to_end
from streams.runtime.broker.topic_writer import TopicWriter, publish_notice
from streams.runtime.broker.transactions import transaction
from streams.runtime.settings import Settings
from tests.broker.support.processes import keyed, records, running, send, tocsin, wait_until
from tests.support.alerts import KEY, NOW, safety, signal, subscription

pytestmark = pytest.mark.broker

REVISIONS = 60


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIER_KEY", KEY.decode())


def own_topic(settings: Settings, name: str) -> str:
    full = f"{settings.topic_prefix}{name}"
    with closing(make_admin(settings)) as admin:
        admin.create_topics({full: {"num_partitions": 2, "replication_factor": 1}})
        admin.wait_for_topics([full])
    return full


def subscribe(path: Path, topic: str, tier: Tier = Tier.AUTHORITY) -> None:
    changes = {"channel": OwnTopic(topic=topic), "url": None, "secrets": ()}
    with Outbox(path, key=KEY) as outbox:
        outbox.subscribe(subscription(tier).model_copy(update=changes))


def publish(settings: Settings, *alerts: AnyAlert, commit: bool = True) -> None:
    class Changed(Exception):
        pass

    with closing(make_producer(settings, f"{settings.topic_prefix}test")) as producer:
        try:
            with transaction(producer) as out:
                for alert in alerts:
                    value = alert.model_dump_json().encode()
                    key = alert.signal_key.encode()
                    out.send(f"{settings.topic_prefix}alerts", value, key)
                if not commit:
                    raise Changed
        except Changed:
            pass


def arrived(settings: Settings, topic: str) -> list[tuple[str, int, str]]:
    found = []
    for record in read_to_end(settings, topic):
        body = json.loads(record.value)
        assert record.key.decode() == body["signal_key"]
        assert dict(record.headers)["alert_id"].decode() == body["alert_id"]
        found.append((body["signal_key"], body["revision"], body["alert_id"]))
    return found


def test_every_alert_reaches_the_topic_of_a_subscriber_though_the_deliverer_is_killed(
    topics: Settings, tmp_path: Path
) -> None:
    own, file = own_topic(topics, "pmda"), tmp_path / "outbox.db"
    subscribe(file, own)
    publish(topics, *(signal(drug=drug) for drug in "AB"))
    publish(topics, signal(drug="aborted"), commit=False)
    for _ in range(2):
        done = tocsin(topics, tmp_path / "state", "deliver", "--once", "--outbox", file)
        assert done.returncode == 0, done.stderr
        assert len(arrived(topics, own)) == 2  # committed ones only, and once
    command = ("deliver", "--outbox", file)
    with running(topics, tmp_path / "state", *command) as first:
        for n in range(2, REVISIONS + 1):
            publish(topics, signal(drug="A", revision=n), signal(drug="B", revision=n))
            if n == REVISIONS // 2:
                wait_until(lambda: len(arrived(topics, own)) > 4, 60, "some to arrive")
                first.kill()
    with running(topics, tmp_path / "state", *command) as second:
        everything = 2 * REVISIONS
        wait_until(lambda: len(set(arrived(topics, own))) == everything, 60, "all to arrive")
        second.stop()
    found = arrived(topics, own)
    for drug in "AB":
        of_one = [revision for key, revision, _ in found if key.startswith(f"{drug}|")]
        once = [revision for revision, _ in itertools.groupby(of_one)]
        assert once == list(range(1, REVISIONS + 1))
    assert len(found) - len(set(found)) <= 1  # the record pending at the kill


def test_a_copy_below_the_authority_names_no_lot_in_its_key(
    topics: Settings, tmp_path: Path
) -> None:
    own, file = own_topic(topics, "consumer"), tmp_path / "outbox.db"
    subscribe(file, own, Tier.CONSUMER)
    publish(topics, safety())
    assert tocsin(topics, tmp_path, "deliver", "--once", "--outbox", file).returncode == 0
    ((key, _, _),) = arrived(topics, own)
    assert "EX117" not in key


@pytest.mark.parametrize(("name", "why"), [("reports", "one of the subscriber's"), ("no", "no")])
def test_delivery_to_an_own_or_missing_topic_is_refused(
    topics: Settings, tmp_path: Path, name: str, why: str
) -> None:
    file = tmp_path / "outbox.db"
    subscribe(file, f"{topics.topic_prefix}{name}")
    publish(topics, signal())
    assert tocsin(topics, tmp_path, "deliver", "--once", "--outbox", file).returncode == 0
    with Outbox(file, key=KEY) as outbox:
        (status,) = outbox.statuses()
    assert (status.waiting, status.delivered) == (1, 0)
    assert status.paused is None if name == "no" else why in (status.paused or "")
    assert records(topics, "reports") == []


def test_delivery_stops_at_a_recreated_topic(topics: Settings, tmp_path: Path) -> None:
    file = tmp_path / "outbox.db"
    with Outbox(file, key=KEY) as outbox:
        source = f"{topics.topic_prefix}alerts[0]"
        outbox.put(signal(), source=source, position=500, now=NOW)
    done = tocsin(topics, tmp_path, "deliver", "--once", "--outbox", file)
    assert done.returncode == 2
    assert "must still have offset 501" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_notice_is_published_by_its_subject(topics: Settings) -> None:
    notice = Notice.model_validate_json(
        json.dumps(
            {
                "notice_id": "V-1", "subject_id": "RUM-1", "kind": "verification",
                "received": "2024-01-01", "source": "ministry",
                "verification": {"by": "ministry", "assertion": "source_unknown"},
            }
        )
    )  # fmt: skip
    with closing(TopicWriter(topics)) as writer:
        publish_notice(writer, topics, notice)
    (record,) = records(topics, "notices")
    assert record.key == b"RUM-1"
    assert Notice.model_validate_json(record.value) == notice
    assert notice.kind is NoticeKind.VERIFICATION


def test_the_api_reads_the_topics_and_publishes_verifications(
    topics: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "outbox.db"
    with TokenStore(file) as store:
        token = store.add("PMDA", Tier.AUTHORITY, frozenset(Scope), NOW)
    publish(topics, signal(), safety())
    one = Report(
        case_id="NE-1", first_received=date(2019, 10, 7), latest_received=date(2019, 10, 7)
    )
    send(topics, [(b"NE-1", b"not a report"), *keyed([one])])
    command = (
        "serve", "--cases", "--port", "0", "--outbox", file, "--model", tmp_path / "signals.db",
        "--log", tmp_path / "audit.jsonl",
    )  # fmt: skip
    with running(topics, tmp_path / "state", *command) as served:
        served.says("/v1/openapi.json")
        address = served.text().split("/openapi.json")[0]
        with httpx2.Client(base_url=address, trust_env=False) as client:
            client.headers["authorization"] = f"Bearer {token}"
            wait_until(lambda: client.get("/health").status_code == 200, 60, "all to be read")
            keys = [found["signal_key"] for found in client.get("/signals").json()["signals"]]
            assert sorted(keys) == sorted([signal().signal_key, safety().signal_key])
            cases = client.get(f"/signals/{quote(safety().signal_key, safe='')}/cases").json()
            assert [line["case_id"] for line in cases["cases"]] == ["NE-1"]
            assert cases["unknown"] == ["NE-2"]
            publish(topics, signal(revision=2))
            latest = f"/signals/{quote(signal().signal_key, safe='')}"
            wait_until(
                lambda: client.get(latest).json()["signal"]["revision"] == 2, 30, "the next one"
            )
            said = {
                "verification_id": "v1", "subject_id": "RUM-1", "source": "ministry",
                "verification": {"by": "ministry", "assertion": "source_unknown"},
            }  # fmt: skip
            assert client.post("/verifications", json=said).status_code == 201
        served.stop()
    (record,) = records(topics, "notices")
    assert record.key == b"RUM-1"
    assert Notice.model_validate_json(record.value).kind is NoticeKind.VERIFICATION
