"""docs/operate says what the code has: its arithmetic, topics, formats and bounds."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from schemas.delta import DELTA_VERSION
from streams.runtime.broker import clients, consumer
from streams.runtime.broker.topics import TOPICS
from streams.runtime.state import case_store, changelog, snapshot

ROOT = Path(__file__).parents[2]


def page(name: str) -> str:
    return (ROOT / "docs" / "operate" / f"{name}.md").read_text(encoding="utf-8")


def the_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sizing", ROOT / "examples" / "sizing.py")
    assert spec is not None
    assert spec.loader is not None
    sizing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sizing)
    return sizing


def test_the_table_of_sizes_is_what_the_script_computes() -> None:
    sizing = the_script()
    assert sizing.table(sizing.Inputs()) in page("size")
    # By hand: a billion reports of 672 bytes; 1e9 / 1.4 cases for 5 years at 132 bytes.
    last = dict(re.findall(r"^\| (.+?) \|.* ([\d,.]+) \|$", sizing.table(sizing.Inputs()), re.M))
    assert last["pv.reports, GB a year, one copy"] == "672.0"
    assert last["detector: case log then, GB"] == "471.4"


def test_the_memory_of_a_case_is_that_of_the_script() -> None:
    given, text = the_script().Inputs(), page("size")
    assert f"| case | {given.case_memory} | the case log" in text
    assert f"| case | {given.index_memory} | its index by pair" in text
    assert f"| pair | {given.scored_memory} | while all pairs are scored" in text
    a_case = given.case_memory + given.index_memory
    million = given.detector_memory / a_case / 1e6
    assert f"48 GB hold 48e9 / {a_case} = {million:.0f} million cases" in " ".join(text.split())


def test_every_topic_has_its_policy_and_what_to_do_when_it_is_lost() -> None:
    policies, lost = (
        set(re.findall(r"`pv\.(\w+)`", "".join(re.findall(r"^\| (`pv\..*?) \|", part, re.M))))
        for part in (page("topics"), page("recover").split("## 6. A topic")[1])
    )
    names = {topic.name for topic in TOPICS}
    assert policies == names
    assert lost == names


def test_formats_and_bounds_are_those_of_the_code() -> None:
    formats, sizes = page("upgrade"), page("size")
    for what, number in (
        ("case database", case_store._FORMAT),
        ("`pv.cases` record", changelog._FORMAT),
        ("delta", DELTA_VERSION),
        ("snapshot of the detector", snapshot._FORMAT),
    ):
        assert f"| {what} | {number} |" in formats
    assert f"one poll            {consumer.POLL_BYTES >> 20} MiB" in sizes
    assert f"a compressed batch  {consumer.UNPACKED_BYTES >> 20} MiB" in sizes
    waiting = f"{clients.FETCH_BYTES >> 20} MiB and one batch a broker, and "
    assert f"{waiting}{clients.PARTITION_FETCH_BYTES >> 20} MiB and one batch a paused" in sizes
