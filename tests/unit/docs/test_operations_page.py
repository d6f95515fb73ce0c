"""docs/operations.md says what the code has: its arithmetic, topics, formats and rejects."""

import importlib.util
import re
from pathlib import Path

from schemas.delta import DELTA_VERSION
from streams.runtime.broker import clients, consumer
from streams.runtime.broker.topics import TOPICS
from streams.runtime.state import case_store, changelog, snapshot

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "operations.md").read_text()


def test_the_table_of_sizes_is_what_the_script_computes() -> None:
    spec = importlib.util.spec_from_file_location("sizing", ROOT / "examples" / "sizing.py")
    assert spec is not None
    assert spec.loader is not None
    sizing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sizing)
    assert sizing.table(sizing.Inputs()) in TEXT
    # By hand: a billion reports of 672 bytes; 1e9 / 1.4 cases for 5 years at 110 bytes.
    last = dict(re.findall(r"^\| (.+?) \|.* ([\d,.]+) \|$", sizing.table(sizing.Inputs()), re.M))
    assert last["pv.reports, GB a year, one copy"] == "672.0"
    assert last["detector: case log then, GB"] == "392.9"


def test_every_topic_has_its_policy_and_what_to_do_when_it_is_lost() -> None:
    policies, lost = (
        set(re.findall(r"`pv\.(\w+)`", "".join(re.findall(r"^\| (`pv\..*?) \|", part, re.M))))
        for part in (TEXT.split("## Topics")[1].split("## ")[0], TEXT.split("**6. A topic.**")[1])
    )
    names = {topic.name for topic in TOPICS}
    assert policies == names
    assert lost == names


def test_formats_and_bounds_are_those_of_the_code() -> None:
    for what, number in (
        ("case database", case_store._FORMAT),
        ("`pv.cases` record", changelog._FORMAT),
        ("delta", DELTA_VERSION),
        ("snapshot of the detector", snapshot._FORMAT),
    ):
        assert f"| {what} | {number} |" in TEXT
    assert f"one poll            {consumer.POLL_BYTES >> 20} MiB" in TEXT
    assert f"a compressed batch  {consumer.UNPACKED_BYTES >> 20} MiB" in TEXT
    waiting = f"{clients.FETCH_BYTES >> 20} MiB and one batch a broker, and "
    assert f"{waiting}{clients.PARTITION_FETCH_BYTES >> 20} MiB and one batch a paused" in TEXT
