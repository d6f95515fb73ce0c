"""Parsers never fail on inputs near valid ones, nor on any bytes: a short run of `make fuzz`."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.seeds import seeds_of
from tests.fuzz.targets import TARGETS

KEPT = Path(__file__).parent.parent / "fuzz" / "kept"
SOME = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize("target", TARGETS)
def test_a_seed_is_read_and_its_mutations_are_read_or_refused(target: str) -> None:
    chance = random.Random(f"mutations of {target}")
    for seed in seeds_of(target):
        TARGETS[target](seed)
        for _ in range(40):
            TARGETS[target](_mutated(seed, chance))


@pytest.mark.parametrize("path", sorted(KEPT.glob("*/*")), ids=lambda path: path.parent.name)
def test_what_once_failed_is_refused(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_inputs_that_failed_are_kept() -> None:
    assert {path.parent.name for path in KEPT.glob("*/*")} >= {"archive", "alert"}


@pytest.mark.parametrize("target", TARGETS)
def test_any_bytes_are_read_or_refused(target: str) -> None:
    @SOME
    @given(st.binary(max_size=300))
    def run(raw: bytes) -> None:
        TARGETS[target](raw)

    run()


@SOME
@given(st.text(max_size=80))
def test_any_text_is_cleaned(text: str) -> None:
    TARGETS["text"](text.encode("utf-8", errors="surrogatepass"))


def _mutated(seed: bytes, chance: random.Random) -> bytes:
    """Return a seed with some bytes replaced, removed, repeated or swapped with its own parts."""
    raw = bytearray(seed)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(raw) + 1)
        size = chance.choice((1, 1, 2, 8, 64))
        kind = chance.randrange(4)
        if kind == 0:
            raw[at : at + size] = chance.randbytes(size)
        elif kind == 1:
            del raw[at : at + size]
        elif kind == 2:
            raw[at:at] = raw[at : at + size] * chance.choice((1, 3, 100))
        else:
            start = chance.randrange(len(raw) + 1)
            raw[at:at] = raw[start : start + size]
    return bytes(raw)
