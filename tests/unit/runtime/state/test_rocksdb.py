"""Databases of one process share a bounded memory, however they were made."""

from pathlib import Path

from rocksdict import Options, Rdict

from streams.runtime.state.rocksdb import open_database

CAPACITY, USAGE = "rocksdb.block-cache-capacity", "rocksdb.block-cache-usage"
BOUND = 16 << 20


def test_a_database_keeps_the_bound_when_it_is_opened_again(tmp_path: Path) -> None:
    for _ in range(2):
        made = open_database(tmp_path / "0")
        assert made.property_int_value(CAPACITY) == BOUND
        made[b"case"] = b"version"
        made.close()
    read = open_database(tmp_path / "0", read_only=True)
    assert (read.property_int_value(CAPACITY), read[b"case"]) == (BOUND, b"version")


def test_a_database_of_before_the_bound_gets_it_and_keeps_its_cases(tmp_path: Path) -> None:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    before = Rdict(str(tmp_path / "0"), options)
    before[b"case"] = b"version"
    before.close()
    now = open_database(tmp_path / "0")
    assert (now.property_int_value(CAPACITY), now[b"case"]) == (BOUND, b"version")
    now.close()


def test_databases_of_a_process_share_what_they_cache(tmp_path: Path) -> None:
    one, other = (open_database(tmp_path / name) for name in "01")
    before = other.property_int_value(USAGE)
    for number in range(1000):
        one[b"%d" % number] = bytes(1000)
    one.flush()
    assert one.get([b"%d" % number for number in range(1000)])
    assert other.property_int_value(USAGE) == one.property_int_value(USAGE) != before
    for each in (one, other):
        each.close()
