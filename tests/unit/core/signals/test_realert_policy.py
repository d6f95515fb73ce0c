"""The re-alert policy as data: its defaults, files of one's own, its hash, and what is refused."""

from pathlib import Path

import pytest

from schemas.errors import InputError
from streams.core.signals.realert_policy import load_policy


def _own(folder: Path, text: str) -> Path:
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_defaults_are_those_of_the_documents() -> None:
    assert load_policy().model_dump() == {
        "more_cases": 3,
        "more_cases_factor": 1.5,
        "ic_lower_rise": 0.5,
        "further_rule": True,
        "first_fatal": True,
        "first_paediatric": True,
        "new_region": True,
        "new_country": True,
        "new_lot": True,
        "new_facility": True,
        "first_designated": True,
        "verification_changed": True,
        "exposure_ongoing": True,
        "designated_events": [],
    }


def test_a_file_states_what_differs(tmp_path: Path) -> None:
    own = load_policy(_own(tmp_path, "more_cases = 5\nnew_region = false\nic_lower_rise = false"))
    assert (own.more_cases, own.new_region, own.ic_lower_rise) == (5, False, None)
    assert own.more_cases_factor == 1.5
    assert load_policy(_own(tmp_path, "more_cases = false")).more_cases is None


def test_the_hash_follows_the_values(tmp_path: Path) -> None:
    """Alerts carry it: a change of the defaults belongs in the changelog."""
    default = load_policy().policy_hash
    assert default == "14e6573cf0dc572c9a65fa7f066575fe10960a155214548337423de07aa14978"
    assert load_policy(_own(tmp_path, "more_cases = 3 # as ever")).policy_hash == default
    assert load_policy(_own(tmp_path, "more_cases = 4")).policy_hash != default


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "policy: .*policy.toml must be a readable TOML file; got "),
        ("more = 3", "key 'more' is malformed: Extra inputs are not permitted; got 3"),
        ("more_cases = 0", "key 'more_cases' is malformed: .* greater than or equal to 1; got 0"),
        ("more_cases = 2.5", "key 'more_cases' is malformed: .* valid integer; got 2.5"),
        ("more_cases = true", "key 'more_cases' is malformed: .* valid integer; got True"),
        ("more_cases_factor = 0.5", "key 'more_cases_factor' .* or equal to 1; got 0.5"),
        ("more_cases_factor = false", "key 'more_cases_factor' .* valid number; got False"),
        ("ic_lower_rise = 0", "key 'ic_lower_rise' is malformed: .* greater than 0; got 0"),
        ("ic_lower_rise = inf", "key 'ic_lower_rise' is malformed: .* finite number; got inf"),
        ("first_fatal = 1", "key 'first_fatal' is malformed: .* valid boolean; got 1"),
    ],
)
def test_what_is_malformed_is_refused_by_its_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_policy(_own(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^policy: .*none.toml must be a readable TOML file; got"):
        load_policy(tmp_path / "none.toml")
