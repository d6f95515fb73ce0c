"""Sign-offs and saved views, by reader."""

from datetime import date
from pathlib import Path

import pytest

from streams.console.readers import Reader, Readers, SeenRevision

FIRST, LATER = date(2024, 5, 25), date(2024, 6, 1)
TIER = "authority"


def sign(readers: Readers, name: str, *seen: SeenRevision, until: date = LATER) -> None:
    readers.sign_off(name, TIER, seen, known_until=FIRST, signed_until=until)


def test_a_reader_is_known_from_the_first_sign_off(tmp_path: Path) -> None:
    with Readers(tmp_path / "readers.db") as readers:
        assert readers.find("Okafor") is None
        sign(readers, "Okafor", SeenRevision("a", 2))
        assert readers.find("Okafor") == Reader(FIRST, LATER, 1)
        readers.sign_off("Okafor", TIER, [], known_until=LATER, signed_until=date(2024, 7, 1))
    with Readers(tmp_path / "readers.db") as readers:
        assert readers.find("Okafor") == Reader(FIRST, date(2024, 7, 1), 2)


def test_of_each_signal_the_latest_revision_seen_is_kept(tmp_path: Path) -> None:
    with Readers(tmp_path / "readers.db") as readers:
        sign(readers, "Okafor", SeenRevision("a", 2), SeenRevision("b", 1))
        sign(readers, "Okafor", SeenRevision("a", 1), SeenRevision("b", 3))
        assert dict(readers.seen("Okafor", TIER).iter_rows()) == {"a": 2, "b": 3}


def test_readers_and_tiers_are_apart(tmp_path: Path) -> None:
    with Readers(tmp_path / "readers.db") as readers:
        sign(readers, "Okafor", SeenRevision("a", 2))
        assert readers.seen("Sato", TIER).is_empty()
        assert readers.seen("Okafor", "consumer").is_empty()


def test_views_are_saved_replaced_and_deleted(tmp_path: Path) -> None:
    with Readers(tmp_path / "readers.db") as readers:
        readers.save_view("Okafor", "my morning", "tab=on")
        readers.save_view("Okafor", "a first", "q=rv")
        readers.save_view("Okafor", "my morning", "tab=overdue")
        readers.save_view("Sato", "my morning", "tab=on")
        assert list(readers.views("Okafor").items()) == [
            ("a first", "q=rv"),
            ("my morning", "tab=overdue"),
        ]
        readers.delete_view("Okafor", "my morning")
        assert readers.views("Okafor") == {"a first": "q=rv"}
        assert readers.views("Sato") == {"my morning": "tab=on"}


@pytest.mark.parametrize("name", ["'; DROP TABLE seen; --", "岡本"])
def test_a_name_is_a_name(tmp_path: Path, name: str) -> None:
    with Readers(tmp_path / "readers.db") as readers:
        sign(readers, name, SeenRevision(name, 1))
        assert dict(readers.seen(name, TIER).iter_rows()) == {name: 1}
