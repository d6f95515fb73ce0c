"""Settings of a detector: from the file, the environment and flags, in rising precedence."""

from pathlib import Path

import pytest

from schemas.errors import InputError
from streams.runtime.detector_settings import DEFAULT_RULES, DetectorSettings
from streams.runtime.settings import Settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(
        """
topic_prefix = "own."

[detector]
rules = ["mhra", "ic"]
screening = "none"
windows = ["cumulative", "sliding:365"]
refit = "90d"
age_bands = [18, 65]
test_by_sex = true
prior = "prior.json"

[detector.lists]
important_events = "events.txt"
"""
    )
    return path


def test_without_anything_the_defaults_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = DetectorSettings.load()
    assert found == DetectorSettings()
    assert (found.rules, found.windows, found.lists) == (DEFAULT_RULES, ("cumulative",), ())


def test_a_file_is_read(file: Path) -> None:
    found = DetectorSettings.load(file)
    assert (found.rules, found.screening) == ("mhra,ic", "none")
    assert found.windows == ("cumulative", "sliding:365")
    assert found.lists == ("important_events=events.txt",)
    assert (found.refit, found.age_bands, found.test_by_sex) == ("90d", "18,65", True)
    assert found.prior == Path("prior.json")
    assert Settings.load(file).detector == found


def test_the_environment_overrides_the_file_and_flags_override_both(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_DETECTOR__RULES", "ema")
    monkeypatch.setenv("TOCSIN_DETECTOR__WINDOWS", "month,quarter")
    found = DetectorSettings.load(file)
    assert (found.rules, found.windows, found.screening) == ("ema", ("month", "quarter"), "none")
    assert Settings.load(file).detector == found
    flagged = DetectorSettings.load(file, rules="ic", windows=None, test_by_sex=False)
    assert (flagged.rules, flagged.windows, flagged.test_by_sex) == (
        "ic",
        ("month", "quarter"),
        False,
    )


def test_a_file_in_the_working_directory_is_found(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.rename(file.with_name("tocsin.toml"))
    monkeypatch.chdir(file.parent)
    assert DetectorSettings.load().rules == "mhra,ic"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[detector]\nruls = 'ic'", "detector.ruls in .* known setting; got 'ruls'; .* 'rules'"),
        ("[detector]\ntest_by_sex = 'often'", "detector.test_by_sex in .*: .*boolean"),
        ("detector = 3", "detector in .* must be a table; got 3"),
        ("[detector", "must be readable"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=problem) as raised:
        DetectorSettings.load(path)
    assert "\n" not in str(raised.value)


def test_where_a_wrong_setting_is_from_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="the option test_by_sex: "):
        DetectorSettings.load(test_by_sex="often")
    monkeypatch.setenv("TOCSIN_DETECTOR__RULS", "ic")
    problem = "the environment variable TOCSIN_DETECTOR__RULS must be a known setting"
    for load in (DetectorSettings.load, Settings.load):
        with pytest.raises(InputError, match=problem):
            load()
    with pytest.raises(InputError, match=r"the file must exist; got no\.toml"):
        DetectorSettings.load(Path("no.toml"))
