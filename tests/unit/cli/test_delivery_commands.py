"""`tocsin subscribe` and `deliver`, with a real receiver on loopback."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from standardwebhooks.webhooks import Webhook
from typer.testing import Result

from schemas.alert import SignalGrade
from schemas.errors import InputError, StateError
from streams.cli import delivery_commands
from streams.cli.audit_commands import assessments_in
from tests.support.alerts import SECRET, safety, signal, write_alerts
from tests.support.assessments import TRIAGE, VALIDATED, decided
from tests.support.cli import invoke


class Receiver(BaseHTTPRequestHandler):
    received: ClassVar[list[dict[str, object]]] = []
    answers: ClassVar[list[int]] = []
    key = SECRET

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status = self.answers.pop(0) if self.answers else 204
        if status == 204:
            self.received.append(Webhook(self.key).verify(body, dict(self.headers)))
        self.send_response(status)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def receiving(*answers: int) -> Iterator[str]:
    Receiver.received.clear()
    Receiver.answers[:] = answers
    Receiver.key = SECRET
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIER_KEY", "k" * 32)
    monkeypatch.setenv("HOOK", SECRET)
    write_alerts(tmp_path, signal(3), safety())
    return tmp_path


def subscribed(url: str, *more: str) -> Result:
    who = ("--subscriber", "PMDA", "--tier", "authority", "--secret", "HOOK", "--yes")
    who += ("--allow-host", "127.0.0.1")
    return invoke("subscribe", "pmda", "--url", url, *who, *more)


def delivered() -> Result:
    return invoke("deliver", "alerts.jsonl", "--once", "--allow-host", "127.0.0.1")


def test_matching_alerts_are_delivered_once_and_delivery_resumes(folder: Path) -> None:
    with receiving() as url:
        done = subscribed(url, "--preview", "alerts.jsonl", "--family", "infection")
        assert done.exit_code == 0, done.output
        assert "LOT_CLUSTER" not in done.output  # of 2019: more than 90 days earlier
        assert "SDR" in done.output
        assert delivered().exit_code == 0
        assert [alert["revision"] for alert in Receiver.received] == [1, 1]
        delivered()
        assert len(Receiver.received) == 2  # nothing twice
        write_alerts(folder, signal(4, revision=2))
        delivered()
    assert [alert["revision"] for alert in Receiver.received] == [1, 1, 2]
    assert Receiver.received[0]["category"] == "LOT_CLUSTER"  # urgent, so it goes first
    assert Receiver.received[1]["counts"]["n_observed"] == 3  # type: ignore[index]


def test_the_grades_of_a_subscription_are_alarms_unless_others_are_asked_for(
    folder: Path,
) -> None:
    write_alerts(folder, *(signal(drug=drug, grade=SignalGrade.SCREENING) for drug in ("a", "b")))
    preview = ("--preview", "alerts.jsonl")
    for options, number in (
        ((), 1),
        (("--grade", "alarm"), 1),
        (("--grade", "screening"), 2),
        (("--grade", "alarm", "--grade", "screening"), 3),
    ):
        shown = subscribed("https://x.example/hook", *preview, *options).output
        (row,) = [line for line in shown.splitlines() if "SDR" in line]
        assert row.split()[-2] == str(number)
    asked = ("--subscriber", "x", "--stream", "--tier", "public", "--grade", "screening")
    assert isinstance(invoke("subscribe", "x", *asked).exception, InputError)
    assert invoke("subscribe", "x", *asked[:-1], "red").exit_code == 2


def test_a_410_pauses_the_subscription_until_it_is_resumed(folder: Path) -> None:
    with receiving(410) as url:
        subscribed(url)
        delivered()
        assert Receiver.received == []
        assert "gone: status 410" in invoke("subscriptions").output
        delivered()
        assert Receiver.received == []
        assert "active" in invoke("subscriptions", "--resume", "pmda").output
        delivered()
    assert len(Receiver.received) == 2


def test_a_subscription_is_paused_resumed_and_removed(folder: Path) -> None:
    with receiving() as url:
        subscribed(url)
        assert "paused by the operator" in invoke("subscriptions", "--pause", "pmda").output
        delivered()
        assert Receiver.received == []
        assert "active" in invoke("subscriptions", "--resume", "pmda").output
        delivered()
        assert len(Receiver.received) == 2
        assert "pmda" not in invoke("subscriptions", "--remove", "pmda").output
        write_alerts(folder, signal(4, revision=2))
        delivered()
        assert len(Receiver.received) == 2
    for option in ("--pause", "--resume", "--remove"):
        error = invoke("subscriptions", option, "pmda").exception
        assert isinstance(error, InputError)
        assert "must be one that exists; got 'pmda'" in str(error)
    error = invoke("subscriptions", "--pause", "a", "--remove", "b").exception
    assert "--rotate and --waiting; got 2" in str(error)


def test_two_subscribers_may_use_one_name(folder: Path) -> None:
    for who in ("PMDA", "EMA"):
        own = ("--subscriber", who, "--folder", who, "--yes")
        assert invoke("subscribe", "hook", *own).exit_code == 0
    error = invoke("subscriptions", "--remove", "hook").exception
    assert "must be of one subscriber; got 'hook' of EMA, PMDA" in str(error)
    shown = invoke("subscriptions", "--pause", "hook", "--subscriber", "EMA").output
    assert ("EMA" in shown, "PMDA" in shown) == (True, False)
    delivered()
    assert (folder / "PMDA").exists()
    assert not (folder / "EMA").exists()


def test_a_receiver_on_this_machine_must_be_allowed_by_name(folder: Path) -> None:
    with receiving() as url:
        subscribed(url)
        assert invoke("deliver", "alerts.jsonl", "--once").exit_code == 0
    assert Receiver.received == []
    shown = " ".join(invoke("subscriptions").output.split())
    assert "refused: webhook: the URL must be https, unless the operator allows" in shown


def test_without_a_secret_a_key_is_derived_and_shown_once(folder: Path) -> None:
    with receiving() as url:
        own = ("--url", url, "--allow-host", "127.0.0.1", "--yes")
        done = invoke("subscribe", "x", "--subscriber", "X", *own)
        shown = done.output.split("signed with ")[1].split()[0]
        Receiver.key = shown
        delivered()
    assert len(Receiver.received) == 2  # the receiver verified both with that key
    assert shown not in (folder / "outbox.db").read_bytes().decode("latin1")
    assert "whsec" not in invoke("subscriptions").output


def test_a_folder_gets_json_and_markdown(folder: Path) -> None:
    done = invoke("subscribe", "x", "--subscriber", "X", "--folder", "out", "--yes")
    assert done.exit_code == 0, done.output
    delivered()
    bodies = [json.loads(file.read_text()) for file in sorted((folder / "out").glob("*.json"))]
    assert {body["tier"] for body in bodies} == {"public"}
    texts = [file.read_text() for file in sorted((folder / "out").glob("*.md"))]
    assert len(bodies) == len(texts) == len(list((folder / "out").iterdir())) / 2 == 2
    assert any(
        "Sepsis with exosomes or stem-cell culture supernatant: 1 to 10 reported cases," in text
        for text in texts
    )
    assert all(body["alert_id"] in text for body, text in zip(bodies, texts, strict=True))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "give one of --url, --topic, --folder and --stream; got 0"),
        (("--stream", "--topic", "t"), "got 2"),
        (("--stream", "--digest", "daily", "--budget", "3"), "budget_per_day has nothing"),
        (("--stream", "--rule", "ema"), "the public tier may not ask by rules"),
        (("--stream", "--min-priority", "high"), "the public tier may not ask by min_priority"),
    ],
)
def test_invalid_subscriptions_are_refused(
    folder: Path, options: tuple[str, ...], reason: str
) -> None:
    error = invoke("subscribe", "x", "--subscriber", "X", "--yes", *options).exception
    assert isinstance(error, InputError)
    assert reason in str(error)


def test_an_incomplete_line_is_read_once_it_is_complete(folder: Path) -> None:
    invoke("subscribe", "x", "--subscriber", "X", "--folder", "out", "--yes")
    line = signal(11, revision=2).model_dump_json()
    with (folder / "alerts.jsonl").open("a") as file:
        file.write(line[:100])
    assert delivered().exit_code == 0
    assert len(list((folder / "out").glob("*.json"))) == 2
    with (folder / "alerts.jsonl").open("a") as file:
        file.write(line[100:])  # complete, though without a line end
    delivered()
    assert len(list((folder / "out").glob("*.json"))) == 3


def test_an_overwritten_file_is_not_mistaken_for_the_old_one(folder: Path) -> None:
    invoke("subscribe", "x", "--subscriber", "X", "--folder", "out", "--yes")
    delivered()
    (folder / "alerts.jsonl").write_text(signal(5).model_dump_json() + "\n")
    error = delivered().exception
    assert isinstance(error, InputError)
    assert "must have the 2 lines that were read of it; got 1" in str(error)


def test_a_subscription_is_saved_only_after_confirmation(folder: Path) -> None:
    arguments = ["subscribe", "s", "--subscriber", "x", "--url", "https://x.example/", "--secret"]
    done = invoke(*arguments, "HOOK", answer="n\n")
    assert done.exit_code != 0
    assert not list(folder.glob("outbox.db"))


def test_a_missing_secret_of_the_installation_ends_delivery(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribed("https://x.example/")
    monkeypatch.setenv("TIER_KEY", "")
    error = delivered().exception
    assert isinstance(error, InputError)
    assert "TIER_KEY: must be in the environment" in str(error)


def test_a_missing_signing_key_pauses_its_subscription_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as url:
        subscribed(url)
        monkeypatch.setenv("OTHER", SECRET)
        own = ("--url", "https://x.example/", "--secret", "OTHER", "--yes")
        assert invoke("subscribe", "other", "--subscriber", "X", *own).exit_code == 0
        monkeypatch.delenv("OTHER")
        assert delivered().exit_code == 0
        assert len(Receiver.received) == 2
    shown = " ".join(invoke("subscriptions").output.split())
    assert "refused: OTHER: must hold base64" in shown


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--url", "https://a..b/"), "a host name that DNS can hold"),
        (("--url", "http://a.example/"), "be https, unless"),
        (("--url", "https://a.example:8443/"), "have port 443, unless"),
        (("--url", "https://10.0.0.1/"), "have a public address"),
        (("--url", "https://a.example/", "--secret", "NO_SUCH"), "NO_SUCH: must hold base64"),
        (("--stream", "--family", "infektion"), "families must be of "),
        (("--stream", "--category", "sdrs"), "categories must be of "),
        (("--stream", "--kind", "never"), "kinds must be of "),
        (("--stream", "--term", " "), "terms must be names"),
        (("--stream", "--product", "\x1b[2J"), "products must be names"),
        (("--stream", *(("--window", "w") * 201)), "at most 200 values; got 20"),
    ],
)
def test_a_subscription_that_could_never_be_sent_is_refused_when_saved(
    folder: Path, options: tuple[str, ...], reason: str
) -> None:
    error = invoke("subscribe", "x", "--subscriber", "X", *options, "--yes").exception
    assert isinstance(error, InputError)
    assert reason in str(error)
    assert not list(folder.glob("outbox.db"))


def test_a_file_of_other_messages_is_refused_with_its_line(folder: Path) -> None:
    with (folder / "alerts.jsonl").open("a") as file:
        file.write(json.dumps({"a": 1}) + "\n")
    subscribed("https://x.example/")
    error = delivered().exception
    assert isinstance(error, InputError)
    assert "alerts.jsonl, line 3: must be an alert" in str(error)
    assert isinstance(subscribed("ftp://x").exception, InputError)


def test_only_copies_for_authorities_have_the_assessment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(folder / "audit.jsonl")
    for tier in ("public", "consumer", "authority"):
        who = ("--subscriber", "X", "--tier", tier, "--folder", tier, "--yes")
        assert invoke("subscribe", tier, *who).exit_code == 0
    read: list[Path] = []
    monkeypatch.setattr(
        delivery_commands, "assessments_in", lambda log: read.append(log) or assessments_in(log)
    )
    done = invoke("deliver", "alerts.jsonl", "--once", "--audit", "audit.jsonl")
    assert done.exit_code == 0, done.output
    assert len(read) == 2  # once before anything is sent, once for all alerts
    seen = {}
    for tier in ("public", "consumer", "authority"):
        copies = [json.loads(path.read_text()) for path in (folder / tier).glob("*.json")]
        assert len(copies) == 2
        seen[tier] = {copy.get("category", "SDR"): copy.get("assessment", "-") for copy in copies}
    assert seen["public"] == seen["consumer"] == {"SDR": "-", "LOT_CLUSTER": "-"}
    assert seen["authority"] == {"SDR": VALIDATED, "LOT_CLUSTER": TRIAGE}
    invoke("deliver", "alerts.jsonl", "--once", "--audit", "audit.jsonl")
    assert len(read) == 3  # there was no new alert


def test_a_missing_or_broken_log_fails_before_anything_is_sent(folder: Path) -> None:
    with receiving() as url:
        subscribed(url)
        deliver = ("deliver", "alerts.jsonl", "--once", "--allow-host", "127.0.0.1", "--audit")
        assert isinstance(invoke(*deliver, "audit.jsonl").exception, InputError)
        decided(folder / "audit.jsonl")
        (folder / "audit.jsonl").write_bytes(b"{" + (folder / "audit.jsonl").read_bytes())
        assert isinstance(invoke(*deliver, "audit.jsonl").exception, StateError)
        assert Receiver.received == []
        delivered()
    assert [alert["assessment"] for alert in Receiver.received] == [None, None]
