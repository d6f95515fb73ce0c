"""Security on a broker with SASL_SSL and ACLs: every role, and the error of every refusal.

The ACLs and the settings file are those that `docs/operate/security.md` prints.
"""

import io
import json
import logging
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote
from uuid import uuid4

import polars as pl
import pytest

from schemas.errors import BrokerError, InputError
from schemas.report import Report
from schemas.safety_alert import SafetyAlert
from schemas.subscription import Folder, Subscription, Tier
from streams.delivery.outbox import Outbox
from streams.runtime.broker.clients import make_admin, make_consumer, make_producer
from streams.runtime.settings import Settings
from streams.runtime.wire.alerts import decode_alert
from tests.broker.support.absence import without_broker
from tests.broker.support.kafka_jars import NoBroker
from tests.broker.support.processes import as_counts, recount, require_revisions, stream, wait_until
from tests.broker.support.secure_kafka import STORE_PASSWORD, secure_kafka
from tests.broker.support.secured import GRANTS, LIMIT, PASSWORDS, ROLES, WITHOUT, Ended, Secured
from tests.support.alerts import KEY

pytestmark = pytest.mark.broker

AT_ONCE = 4  # processes; more of them wait for a processor, not for a broker
WRONG = f"wrong-{uuid4().hex}"

NOTICE = (
    '{"notice_id": "RUM-1", "subject_id": "RUM", "kind": "safety_notice", "source": "society", '
    '"received": "2024-02-01", "fatal": true}'
)

CASES = ("run", "--stage", "cases")
DETECT = ("run", "--stage", "detect")
JOURNAL = ("--log-format", "json")
REDRIVE = ("rejected", "redrive")


@pytest.fixture(scope="module")
def secured(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    try:
        running = secure_kafka(folder, PASSWORDS)
        server = running.__enter__()
    except NoBroker as why:
        without_broker(pytestconfig, why)
    try:
        server.allow(acl for grant in GRANTS for acl in grant.acls(grant.role))
        for user, (role, lacking) in WITHOUT.items():
            granted = [
                one
                for one in GRANTS
                if one.role == role and lacking not in (one.resource, one.name)
            ]
            server.allow(acl for grant in granted for acl in grant.acls(user))
        yield Secured(server, folder)
    finally:
        running.__exit__(None, None, None)


@pytest.fixture(scope="module")
def latest(secured: Secured) -> list[Report]:
    """Current reports that the roles have published, counted and alerted on."""
    messages, latest = stream(400, seed=7)
    lines = [message.model_dump_json() for message in messages]
    secured.reports.write_text("\n".join([*lines, "{no report"]) + "\n")
    notices = secured.folder / "notices.jsonl"
    notices.write_text(NOTICE + "\n")
    steps = {
        "admin": ("topics", "create"),
        "intake": ("publish", secured.reports, "--notices", notices),
        "link": ("run", "--stage", "link", "--drain"),
        "cases": (*CASES, "--drain", *JOURNAL),
        "detect": (*DETECT, "--drain", "--counts", secured.folder / "counts.parquet", *JOURNAL),
    }
    for role, arguments in steps.items():
        done = secured.run(role, *arguments)
        assert done.code == 0, f"{role}: {done.err}"
        if role == "intake":
            with closing(make_producer(secured.settings(role))) as producer:
                producer.send("pv.notices", b"{no notice")
    return latest


def test_every_role_works_with_its_documented_rights(
    secured: Secured, latest: list[Report]
) -> None:
    known = (
        "admin",
        "assessor",
        "cases",
        "deliver",
        "detect",
        "intake",
        "link",
        "redrive",
        "serve",
    )
    assert tuple(ROLES) == (*known, "subscriber")
    assert as_counts(pl.read_parquet(secured.folder / "counts.parquet")) == recount(latest)
    printed = secured.run("subscriber", "alerts", "--json")
    assert (printed.code, printed.err) == (0, "")
    found = [decode_alert(line.encode()) for line in printed.out.splitlines()]
    alerts = [alert for alert in found if not isinstance(alert, SafetyAlert)]
    assert len(alerts) > 3
    require_revisions(alerts)
    assert [alert.subject for alert in found if isinstance(alert, SafetyAlert)] == ["RUM"]


def test_alerts_are_delivered_with_the_rights_for_it(
    secured: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIER_KEY", KEY.decode())
    box, folder = tmp_path / "outbox.db", tmp_path / "out"
    with Outbox(box, key=KEY) as outbox:
        channel = Folder(path=str(folder))
        outbox.subscribe(
            Subscription(
                subscription_id="s", subscriber="PMDA", tier=Tier.AUTHORITY, channel=channel
            )
        )
    ended = secured.run("deliver", "deliver", "--once", "--outbox", box)
    assert (ended.code, ended.err) == (0, "")
    assert len(list(folder.glob("*.json"))) > 3


def test_decisions_are_anchored_with_the_rights_for_it(
    secured: Secured, latest: list[Report], tmp_path: Path
) -> None:
    alerts = secured.run("subscriber", "alerts", "--json").out.splitlines()
    key = decode_alert(alerts[-1].encode()).signal_key
    log = tmp_path / "audit.jsonl"
    steps = (("under_triage",), ("monitoring", "--reason", "one more case would settle it"))
    for step in steps:
        done = secured.run("assessor", "signals", "decide", key, *step, "--by", "a", "--log", log)
        assert (done.code, done.err) == (0, "")
    whole = secured.run("assessor", "audit", "verify", log)
    assert whole.code == 0, whole.err
    assert "pv.audit: every anchor is in the log, the last of entry 2" in whole.out
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(lines[0])
    short = secured.run("assessor", "audit", "verify", log)
    assert short.code == 2
    assert "entry 2 must have the hash" in short.err
    assert "anchored in pv.audit" in short.err
    refused = secured.run("subscriber", "audit", "verify", log)
    assert refused.code == 2
    assert "pv.audit: no such topic" in refused.err


def test_a_reject_is_mended_and_redriven_with_the_rights_for_it(
    secured: Secured, latest: list[Report]
) -> None:
    listed = secured.run("redrive", "rejected", "list", "-o", "jsonl")
    assert listed.code == 0, listed.err
    by_value = {line["value"]: line for line in map(json.loads, listed.out.splitlines())}
    assert by_value.keys() == {"{no report", "{no notice"}
    values = {"{no report": latest[0].model_dump(mode="json"), "{no notice": json.loads(NOTICE)}
    mended = secured.folder / "mended.jsonl"
    lines = [json.dumps(by_value[raw] | {"value": value}) for raw, value in values.items()]
    mended.write_text("\n".join(lines))
    done = secured.run("redrive", "rejected", "redrive", "--from", mended)
    assert done.code == 0, done.err
    assert secured.run("redrive", "rejected", "list", "-o", "jsonl").out == ""


@pytest.mark.parametrize(
    ("user", "lacking"),
    [("serve", None)] + [(user, one) for user, (role, one) in WITHOUT.items() if role == "serve"],
)
def test_the_api_needs_each_of_its_rights_and_no_other(
    secured: Secured, latest: list[Report], tmp_path: Path, user: str, lacking: str | None
) -> None:
    said = {"verification_id": user, "subject_id": "RUM", "source": "ministry"}
    said |= {"verification": {"by": "ministry", "assertion": "source_unknown"}}
    with secured.serving(user, tmp_path) as client:
        if lacking in ("pv.alerts", "pv.reports"):
            served = tmp_path / "served"
            wait_until(lambda: f"{lacking}: no such topic" in served.read_text(), LIMIT, lacking)
            assert client.get("/health").status_code == 503
            return
        wait_until(lambda: client.get("/health").status_code == 200, LIMIT, "all is read")
        signals = client.get("/signals").json()["signals"]
        assert len(signals) > 3
        key = quote(
            next(signal["signal_key"] for signal in signals if "|" in signal["signal_key"]), safe=""
        )
        assert client.get(f"/signals/{key}/cases").status_code == 200
        posted = client.post("/verifications", json=said)
        assert (posted.status_code == 201) is (lacking != "pv.notices"), posted.text
        decided = client.post(f"/signals/{key}/decisions", json={"to": "under_triage"})
        assert decided.status_code == 201, "whether or not its hash can be anchored"
        not_anchored = "its hash is not anchored" in (tmp_path / "served").read_text()
        assert not_anchored is (lacking == "pv.audit")


class Refusal(NamedTuple):
    """A command that must be refused, and its error message."""

    words: str
    user: str
    arguments: tuple[str, ...]
    listener: str = "VALID"
    password: str | None = None
    trusting: bool = True


PUBLISH = ("publish", "REPORTS")
PASSWORD = "the broker refused the user name or password"
ELSEWHERE = "the broker's certificate is of another host"
EXPIRED = "the broker's certificate is out of date"
UNKNOWN = "ssl_cafile must hold the authority of the broker's certificate"
RIGHTS = "the broker does not authorise us"
REFUSALS = {
    "wrong password, create": Refusal(PASSWORD, "admin", ("topics", "create"), password=WRONG),
    "wrong password, publish": Refusal(PASSWORD, "intake", PUBLISH, password=WRONG),
    "wrong password, cases": Refusal(PASSWORD, "cases", CASES, password=WRONG),
    "wrong password, detect": Refusal(PASSWORD, "detect", DETECT, password=WRONG),
    "wrong password, alerts": Refusal(PASSWORD, "subscriber", ("alerts",), password=WRONG),
    "wrong host name, publish": Refusal(ELSEWHERE, "intake", PUBLISH, "ELSEWHERE"),
    "wrong host name, run": Refusal(ELSEWHERE, "cases", ("run",), "ELSEWHERE"),
    "expired certificate, create": Refusal(EXPIRED, "admin", ("topics", "create"), "EXPIRED"),
    "expired certificate, run": Refusal(EXPIRED, "detect", DETECT, "EXPIRED"),
    "unknown authority, alerts": Refusal(UNKNOWN, "subscriber", ("alerts",), trusting=False),
    "unknown authority, run": Refusal(UNKNOWN, "cases", CASES, trusting=False),
    "no right to publish": Refusal(RIGHTS, "subscriber", PUBLISH),
    "no right to create": Refusal("Authorization failed", "subscriber", ("topics", "create")),
    "no transactional id, cases": Refusal(RIGHTS, "cases-without-id", CASES),
    "no transactional id, detect": Refusal(RIGHTS, "detect-without-id", DETECT),
    "no transactional id, redrive": Refusal(RIGHTS, "redrive-without-id", REDRIVE),
    "no group": Refusal(RIGHTS, "cases-without-group", CASES),
}


@pytest.fixture(scope="module")
def refused(secured: Secured, latest: list[Report]) -> dict[str, Ended]:
    def run(refusal: Refusal) -> Ended:
        _, user, arguments, listener, password, trusting = refusal
        paths = [secured.reports if argument == "REPORTS" else argument for argument in arguments]
        try:
            return secured.run(
                user,
                *paths,
                listener=listener,
                password=password,
                trusting=trusting,
                seconds=LIMIT,
            )
        except subprocess.TimeoutExpired as error:
            return Ended(-1, str(error.stdout), str(error.stderr), LIMIT)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(REFUSALS, pool.map(run, REFUSALS.values()), strict=True))


@pytest.mark.parametrize("what", REFUSALS)
def test_a_refusal_is_one_clear_line(what: str, refused: dict[str, Ended]) -> None:
    ended = refused[what]
    assert ended.seconds < LIMIT, "it must not hang"
    assert ended.code == 2, ended.err
    # A worker logs what the group does, the client when it was slow; what went wrong is said once.
    lines = [line for line in ended.err.splitlines() if line and " kafka." not in line]
    assert len(lines) == 1, ended.err
    assert lines[0].startswith("tocsin: ")
    assert REFUSALS[what].words in lines[0]
    assert ended.out == ""


def test_no_secret_is_in_any_output_log_or_file(
    secured: Secured, refused: dict[str, Ended]
) -> None:
    assert len(secured.said) > 2 * len(REFUSALS)
    found = "\n".join(secured.said)
    assert '"event": "alert"' in found, "the journal is in it"
    log = secured.server.log_path.read_text(errors="replace")
    assert "Failed authentication" in log, "this is the log"
    kept = {path: path.read_bytes() for path in (secured.folder / "state").rglob("*.*")}
    kept |= {path: path.read_bytes() for path in secured.folder.glob("*.toml")}
    assert any(path.name.startswith("LOG") for path in (secured.folder / "state").rglob("*"))
    for secret in (*PASSWORDS.values(), WRONG, STORE_PASSWORD):
        assert secret not in found
        assert secret not in log
        assert not [path for path, content in kept.items() if secret.encode() in content]


def test_client_debug_logs_contain_no_password(
    secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    logger = logging.getLogger("kafka")
    monkeypatch.setattr(logger, "handlers", [logging.StreamHandler(log)])
    monkeypatch.setattr(logger, "propagate", False)
    logger.setLevel(logging.DEBUG)
    for make, user in ((make_admin, "admin"), (make_consumer, "cases"), (make_producer, "intake")):
        with closing(make(secured.settings(user))):
            pass
        with pytest.raises(BrokerError, match=PASSWORD) as raised:
            make(secured.settings(user, password=WRONG))
        assert WRONG not in str(raised.value)
    logger.setLevel(logging.NOTSET)
    text = log.getvalue()
    assert "Starting KafkaAdminClient with configuration" in text
    assert "sasl_plain_password" in text
    for secret in (*PASSWORDS.values(), WRONG):
        assert secret not in text
        assert secret not in repr(secured.settings("admin", password=secret).client_settings())


def test_no_setting_turns_off_the_check_of_the_certificate(
    secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = secured.settings("admin", "ELSEWHERE")
    context = settings.client_settings()["ssl_context"]
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    known = {name for name in Settings.model_fields if name.startswith("ssl_")}
    assert known == {"ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_key_password"}
    for name in ("SSL_CHECK_HOSTNAME", "SSL_VERIFY", "SSL_ENDPOINT_IDENTIFICATION_ALGORITHM"):
        with monkeypatch.context() as patched:
            patched.setenv(f"TOCSIN_{name}", "false")
            with pytest.raises(InputError, match="must be a known setting"):
                secured.settings("admin")
