"""Spark recounts what Tocsin counted, and notices every difference. Run by `make spark`."""

import os
import random
import subprocess
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from schemas.link import CaseLink
from schemas.product import Product
from schemas.report import Link, Reaction, Report
from schemas.vocabulary import LinkBasis, LinkKind, LinkState, ProductRole, VerificationState
from streams.intake.files import read_source
from streams.runtime.broker.topics import create_topics
from streams.runtime.settings import Settings
from tests.broker.support.kafka_server import running_kafka
from tests.broker.support.processes import keyed, report, send, stream, tocsin

SCRIPT = Path(__file__).parents[2] / "examples" / "spark_recount.py"
SECONDS = 500
NAMES = (
    "Ａspirin",
    " aspirin\u3000 forte",
    "ASPIRIN\tforte",
    "İ",
    "\ufb01brin",
    "\x1fx\x1f",
    "é",
    "e\u0301",
)


def spark(*arguments: object, jars: Iterable[Path] = ()) -> subprocess.CompletedProcess[str]:
    options = "--conf spark.ui.enabled=false --driver-memory 2g"
    if names := ",".join(map(str, jars)):
        options += f" --jars {names}"
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        env={**os.environ, "PYSPARK_SUBMIT_ARGS": f"{options} pyspark-shell"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def counted(tmp_path: Path, *sources: Path) -> Path:
    file = tmp_path / "counts.parquet"
    replay = ("replay", *sources, "--counts", file, "--rules", "ema")
    done = tocsin(Settings(), tmp_path, *replay, seconds=SECONDS)
    assert done.returncode == 0, done.stderr
    return file


def written(path: Path, messages: Iterable[Report | CaseLink]) -> Path:
    path.write_text("".join(one.model_dump_json() + "\n" for one in messages))
    return path


def odd_reports(seed: int, number: int) -> list[Report | CaseLink]:
    """Return reports with every reason of exclusion, names that need normalising, and links."""
    chance = random.Random(seed)
    found: list[Report | CaseLink] = []
    for n in range(number):
        names = [chance.choice(NAMES) for _ in range(3)]
        products = (
            Product(substances=tuple(names[:2]), role=chance.choice(list(ProductRole))),
            Product(product_class=chance.choice(NAMES), verbatim="v", role=ProductRole.SUSPECT),
            Product(substances=(" ",), verbatim=names[2], role=ProductRole.INTERACTING),
        )
        master = Link(kind=chance.choice(list(LinkKind)), case_id="elsewhere")
        found.append(
            report(n, chance.randrange(1, 4), nullified=chance.random() < 0.1).model_copy(
                update={
                    "products": products[: chance.randrange(4)],
                    "reactions": tuple(
                        Reaction(term=chance.choice(NAMES)) for _ in range(chance.randrange(4))
                    ),
                    "verification": chance.choice(list(VerificationState)),
                    "links": (master,) if chance.random() < 0.3 else (),
                }
            )
        )
        for _ in range(chance.choice((0, 0, 1, 2, 4))):
            basis = chance.choice(list(LinkBasis))
            found.append(
                CaseLink(
                    case_id=f"C{n}",
                    master_case_id=f"C{n + 1}",
                    state=chance.choice(list(LinkState)),
                    basis=basis,
                    decision=chance.randrange(1, 3),
                    decided_on=date(2024, 1, 5),
                    decided_by="test",
                    reason="test",
                    score=0.9 if basis is LinkBasis.PROBABLE else None,
                )
            )
    chance.shuffle(found)
    return found


def test_follow_ups_nullifications_and_repeats(tmp_path: Path) -> None:
    messages, _ = stream(4_000, seed=11)
    file = written(tmp_path / "reports.jsonl", messages)
    counts = counted(tmp_path, file)
    done = spark("--reports", file, "--counts", counts)
    assert done.returncode == 0, done.stderr
    assert "pairs compared: 180, different: 0" in done.stdout
    assert "cases nullified: " in done.stdout
    # And one case more or less, or a pair too few, is noticed.
    frame = pl.read_parquet(counts)
    frame[1:].with_columns(
        n_drug=pl.when(pl.int_range(pl.len()) == 5).then(1).otherwise("n_drug")
    ).write_parquet(counts)
    done = spark("--reports", file, "--counts", counts)
    assert done.returncode == 1, done.stderr
    assert "pairs compared: 179, different: 2" in done.stdout


def test_every_reason_of_exclusion_odd_names_and_links(tmp_path: Path) -> None:
    file = written(tmp_path / "reports.jsonl", odd_reports(3, 1_500))
    done = spark("--reports", file, "--counts", counted(tmp_path, file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "different: 0" in done.stdout
    for why in ("nullified", "duplicate", "unverified", "no_suspect_product", "no_reaction"):
        assert f"cases {why}: " in done.stdout
    assert "cases linked to its master: " in done.stdout


def test_structured_streaming_finds_the_same(tmp_path: Path) -> None:
    messages = odd_reports(4, 600)
    folder = tmp_path / "reports"
    folder.mkdir()
    files = [
        written(folder / f"{n}.jsonl", messages[start : start + 400])
        for n, start in enumerate(range(0, len(messages), 400))
    ]
    assert len(files) > 1
    done = spark("--reports", folder, "--streaming", "--counts", counted(tmp_path, *files))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "different: 0" in done.stdout


@pytest.mark.broker
def test_the_topics_without_what_was_rejected(tmp_path: Path) -> None:
    jars, pom = tmp_path / "jars", Path(__file__).with_name("pom.xml")
    fetch = ["mvn", "-q", "-B", "-C", "-f", str(pom), "dependency:copy-dependencies"]
    subprocess.run([*fetch, f"-DoutputDirectory={jars}"], check=True, timeout=SECONDS)
    messages, _ = stream(600, seed=3)
    with running_kafka() as bootstrap:
        settings = Settings(bootstrap=bootstrap, topic_prefix="spark.", partitions=2)
        create_topics(settings)
        # A readable report that was rejected for its key: Spark must not count it either.
        unkeyed = [(None, value) for _, value in keyed([report(9_999)])]
        send(settings, [*keyed(messages), (b"k", b"broken"), *unkeyed])
        counts = tmp_path / "counts.parquet"
        drain = ("run", "--drain", "--counts", counts)
        done = tocsin(settings, tmp_path / "state", *drain, seconds=SECONDS)
        assert done.returncode == 0, done.stderr
        options = ("--bootstrap", bootstrap, "--prefix", "spark.", "--counts", counts)
        recount = spark(*options, jars=jars.glob("*.jar"))
    assert recount.returncode == 0, recount.stdout + recount.stderr
    assert "cases counted: 544" in recount.stdout
    assert "different: 0" in recount.stdout


@pytest.mark.realdata
def test_four_real_years(real_data: Path, tmp_path: Path) -> None:
    years = [real_data / "vaers" / f"{year}VAERSData.zip" for year in range(1990, 1994)]
    reports = (one for path in years for _, one in read_source(path) if isinstance(one, Report))
    file = written(tmp_path / "reports.jsonl", reports)
    done = spark("--reports", file, "--counts", counted(tmp_path, *years))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pairs compared: 4,821, different: 0" in done.stdout
