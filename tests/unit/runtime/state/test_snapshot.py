"""The detector's counts on disk: whole or not at all, and of the right topic."""

import json
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from detectors.rules import load_rules
from schemas.delta import Delta
from schemas.errors import StateError
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.runtime.state.snapshot import read_snapshot, write_snapshot
from tests.support.deltas import case_change, make_delta

TOPIC = "pv.deltas"


def _detector(*deltas: Delta) -> Detector:
    windows = [WindowSpec.parse(text) for text in ("cumulative", "month")]
    detector = Detector(windows, load_rules("mhra"))
    for delta in deltas:
        detector.apply(delta)
    return detector


def _delta(start: int, drug: str) -> Delta:
    change = case_change(
        f"case {start}",
        serious=True,
        drugs=[drug],
        origin=f"JP\x1f\x1f{drug}",
        indications="Pain",
        completeness=40,
        suspected_duplicate=True,
        life_threatening=True,
        courses=[37],
        onsets=[738_945],
    )
    return make_delta(start, [change])


ONE, TWO = _delta(0, "zinc"), _delta(1, "iron")


def test_without_a_snapshot_reading_starts_at_the_beginning(tmp_path: Path) -> None:
    assert read_snapshot(tmp_path / "counts", _detector(), topic=TOPIC) == 0


def test_a_snapshot_brings_back_counts_and_offsets(tmp_path: Path) -> None:
    written, read = _detector(ONE, TWO), _detector()
    folder = tmp_path / "deep" / "counts"
    write_snapshot(folder, written, topic=TOPIC, next_offset=17)
    assert read_snapshot(folder, read, topic=TOPIC) == 17
    assert_frame_equal(read.all_counts(), written.all_counts())
    assert (read.offsets, read.watermark) == ({0: 2}, 19_782)
    assert not read.apply(TWO)
    assert [path.name for path in folder.parent.iterdir()] == ["counts"]


def test_a_later_snapshot_replaces_an_earlier_one(tmp_path: Path) -> None:
    folder = tmp_path / "counts"
    write_snapshot(folder, _detector(ONE), topic=TOPIC, next_offset=1)
    write_snapshot(folder, _detector(ONE, TWO), topic=TOPIC, next_offset=2)
    read = _detector()
    assert read_snapshot(folder, read, topic=TOPIC) == 2
    assert read.all_counts()["drug"].unique().sort().to_list() == ["iron", "zinc"]


def test_an_empty_detector_can_be_written_and_read(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "counts", _detector(), topic=TOPIC, next_offset=0)
    read = _detector()
    assert read_snapshot(tmp_path / "counts", read, topic=TOPIC) == 0
    assert read.apply(ONE)


class _PowerCutError(Exception):
    pass


@pytest.mark.parametrize("survived", [0, 1])
def test_a_crash_at_either_rename_leaves_a_whole_snapshot(
    survived: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "counts"
    write_snapshot(folder, _detector(ONE), topic=TOPIC, next_offset=1)
    rename, done = Path.rename, []

    def cut(self: Path, target: Path) -> Path:
        if len(done) == survived:
            raise _PowerCutError
        done.append(target)
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", cut)
        with pytest.raises(_PowerCutError):
            write_snapshot(folder, _detector(ONE, TWO), topic=TOPIC, next_offset=2)
    assert folder.exists() is (survived == 0)

    read = _detector()
    assert read_snapshot(folder, read, topic=TOPIC) == 1
    assert read.offsets == {0: 1}
    write_snapshot(folder, _detector(ONE, TWO), topic=TOPIC, next_offset=2)
    assert read_snapshot(folder, _detector(), topic=TOPIC) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["counts"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("about.json", b"{"),
        ("about.json", b"\xff"),
        ("cases.parquet", b"PAR1"),
        ("about.json", None),
    ],
)
def test_a_damaged_snapshot_is_refused(name: str, content: bytes | None, tmp_path: Path) -> None:
    folder = tmp_path / "counts"
    write_snapshot(folder, _detector(ONE), topic=TOPIC, next_offset=1)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(
        StateError, match=rf"^snapshot {folder}: must be readable; got .*\. Move it away to count"
    ):
        read_snapshot(folder, _detector(), topic=TOPIC)


OLDER = (
    r"must be of format 6 and topic pv\.deltas; got 5 and pv\.deltas\. Run tocsin state rebuild --"
)


def test_a_snapshot_of_another_topic_or_format_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "counts"
    write_snapshot(folder, _detector(ONE), topic=TOPIC, next_offset=1)
    with pytest.raises(
        StateError,
        match=rf"^snapshot {folder}: must be of format 6 and topic test\.deltas; got 6 and "
        r"pv\.deltas\. Run tocsin state rebuild --detector: it counts the deltas again$",
    ):
        read_snapshot(folder, _detector(), topic="test.deltas")
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    (folder / "about.json").write_text(json.dumps({**about, "format": 5}), encoding="utf-8")
    with pytest.raises(StateError, match=OLDER):
        read_snapshot(folder, _detector(), topic=TOPIC)


def test_the_only_whole_snapshot_is_kept_until_another_is_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "counts"
    write_snapshot(folder, _detector(ONE), topic=TOPIC, next_offset=1)
    folder.rename(folder.with_suffix(".old"))  # a crash between the two renames

    def crash(path: Path, target: Path) -> Path:
        raise OSError

    monkeypatch.setattr(Path, "rename", crash)
    with pytest.raises(OSError, match=r"^$"):
        write_snapshot(folder, _detector(ONE, TWO), topic=TOPIC, next_offset=2)
    assert read_snapshot(folder, _detector(), topic=TOPIC) == 1


def test_a_snapshot_with_something_missing_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "counts"
    write_snapshot(folder, _detector(ONE), topic=TOPIC, next_offset=1)
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    del about["counted"]["events"]
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(StateError, match=r"must hold what one of format 6 holds; .*Move it away"):
        read_snapshot(folder, _detector(), topic=TOPIC)
