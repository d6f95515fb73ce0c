"""Options of several commands: their values, and the error of each invalid one."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from detectors.gamma_mixture import FitFacts, GammaMixture
from schemas.errors import InputError, RuleError
from streams.cli.options import (
    DEFAULT_RULES,
    DEFAULT_SCREENING,
    adjusted_prior_from,
    both_rules_from,
    interval_days,
    lists_from,
    parse_day,
    prior_from,
    rules_from,
    tomorrow,
    windows_from,
    writable,
)
from streams.core.counting.windows import WindowSpec

PRIOR = GammaMixture(
    alpha1=0.2, beta1=0.1, alpha2=2.0, beta2=4.0, weight=1 / 3, likelihood="untruncated"
)

FACTS = FitFacts(
    log_likelihood=-1.0,
    gradient=0.0,
    n_pairs=10,
    n_points=10,
    n_starts=10,
    n_converged=10,
    n_optima=1,
    spread=0.0,
    boundary=(),
    squashing=None,
    points_hash="0" * 64,
)


def _graded(rules: str, screening: str) -> list[tuple[str, str]]:
    return [(rule.name, rule.grade.value) for rule in rules_from(rules, screening).rules]


def test_rules_are_named_by_commas() -> None:
    assert _graded(" eb05 ,, safe,", " ic ,mhra,") == [
        *(("eb05", "alarm"), ("safe", "alarm")),
        *(("ic", "screening"), ("mhra", "screening")),
    ]


def test_the_default_is_one_rule_of_the_alarm_and_a_wider_screening() -> None:
    wider = ["screening", "mhra", "ema", "ic"]
    found = _graded(DEFAULT_RULES, DEFAULT_SCREENING)
    assert found == [("tocsin", "alarm"), *((name, "screening") for name in wider)]


@pytest.mark.parametrize("text", ["none", " none ", ""])
def test_there_may_be_no_screening(text: str) -> None:
    assert _graded("mhra,ema,ic", text) == [(name, "alarm") for name in ("mhra", "ema", "ic")]


def test_a_rule_of_both_grades_is_the_alarms() -> None:
    assert _graded("ic", "mhra,ic") == [("ic", "alarm"), ("mhra", "screening")]


def test_none_is_no_rule_beside_others() -> None:
    with pytest.raises(RuleError, match=r"a rule must be a .toml file or among .*; got none$"):
        rules_from("mhra", "none,ic")


def test_two_sets_of_rules_get_the_lists_that_they_refer_to() -> None:
    lists = {"important_events": ["Sepsis"]}
    ours, theirs = both_rules_from(("tocsin", "ema"), ("mhra", "none"), lists)
    assert "important_events" in ours.rules[1].sentence
    assert [rule.name for rule in theirs.rules] == ["mhra"]


def test_a_list_is_a_file_of_names(tmp_path: Path) -> None:
    named = tmp_path / "a=b.txt"
    named.write_text("  Sepsis \n\n   \nArrêt cardiaque\r\nSepsis\n", encoding="utf-8")
    (tmp_path / "none.txt").write_text("", encoding="utf-8")
    texts = [f"important_events={named}", f"watched={tmp_path / 'none.txt'}"]
    assert lists_from(texts) == {
        "important_events": ["Sepsis", "Arrêt cardiaque", "Sepsis"],
        "watched": [],
    }
    assert lists_from(None) == lists_from([]) == {}


def test_a_list_narrows_its_rule(tmp_path: Path) -> None:
    (tmp_path / "ime.txt").write_text("Sepsis\n", encoding="utf-8")
    lists = lists_from([f"important_events={tmp_path / 'ime.txt'}"])
    narrowed, plain = rules_from("ema", "none", lists), rules_from("ema", "none")
    assert "event is on the list important_events" in narrowed.rules[0].sentence
    assert narrowed.rules_hash != plain.rules_hash


def test_a_list_that_no_rule_refers_to_is_refused() -> None:
    with pytest.raises(
        RuleError,
        match=r"^load_rules: a list must be one that a rule asks for, "
        r"\['additional_monitoring', 'important_events'\]; got \['importent_events'\]$",
    ):
        rules_from("ema", "none", {"importent_events": ["Sepsis"]})


@pytest.mark.parametrize("text", ["", "important_events", "=file.txt", "important_events=", "="])
def test_a_list_without_name_or_file_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=rf"^--list: NAME=FILE must be given; got '{text}'$"):
        lists_from([text])


@pytest.mark.parametrize(
    ("name", "problem"),
    [("none.txt", "No such file"), (".", "Is a directory"), ("latin.txt", "'utf-8' codec")],
)
def test_a_list_that_cannot_be_read_is_refused(name: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("Arrêt cardiaque".encode("latin-1"))
    with pytest.raises(
        InputError, match=rf"^--list events: .* must be a readable text file; got .*{problem}"
    ):
        lists_from([f"events={tmp_path / name}"])


def test_a_prior_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "prior.json"
    path.write_text(PRIOR.model_dump_json(indent=2), encoding="utf-8")
    read = prior_from(path)
    assert read == PRIOR
    assert read is not None
    assert read.prior_id == PRIOR.prior_id
    assert prior_from(None) is None
    # Without facts of a fit, as one from the literature, it may be of any expected counts.
    assert adjusted_prior_from(path) == PRIOR
    assert adjusted_prior_from(None) is None


def test_a_prior_is_of_the_expected_counts_of_its_option(tmp_path: Path) -> None:
    path = tmp_path / "prior.json"
    crude = "crude expected counts"
    for fitted_to, fits, other, option in (
        (None, prior_from, adjusted_prior_from, "--prior-adjusted"),
        ("expected_adjusted", adjusted_prior_from, prior_from, "--prior"),
    ):
        fitted = PRIOR.model_copy(update={"fit": FACTS.model_copy(update={"expected": fitted_to})})
        path.write_text(fitted.model_dump_json(), encoding="utf-8")
        assert fits(path) == fitted
        message = f"^{option}: .* must be fitted to .*; got one fitted to {fitted_to or crude}$"
        with pytest.raises(InputError, match=message):
            other(path)
    elsewhere = PRIOR.model_copy(update={"fit": FACTS.model_copy(update={"expected": "e"})})
    path.write_text(elsewhere.model_dump_json(), encoding="utf-8")
    for read in (prior_from, adjusted_prior_from):
        with pytest.raises(InputError, match=r"; got one fitted to e$"):
            read(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file"),
        ("", "Invalid JSON"),
        ("not json", "Invalid JSON"),
        ("{}", "Field required"),
        (json.dumps({**PRIOR.model_dump(), "version": 2}), "Input should be 1"),
        (json.dumps({**PRIOR.model_dump(), "weight": 1.0}), "Input should be less than 1"),
        (json.dumps({**PRIOR.model_dump(), "alpha1": 0.0}), "Input should be greater than 0"),
        (json.dumps({**PRIOR.model_dump(), "window": "all"}), "Extra inputs are not permitted"),
    ],
)
def test_an_invalid_prior_is_refused(content: str | None, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "prior.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(
        InputError,
        match=rf"^--prior: .*prior\.json must be a prior written by tocsin fit; got .*{problem}",
    ):
        prior_from(path)


def test_windows_are_cumulative_unless_named_and_each_is_kept_once() -> None:
    assert windows_from(None) == windows_from([]) == [WindowSpec.parse("cumulative")]
    texts = ["sliding:30", "month", "sliding:30"]
    assert windows_from(texts) == [WindowSpec.parse("sliding:30"), WindowSpec.parse("month")]


@pytest.mark.parametrize("text", ["", "week", "sliding", "sliding:0", "sliding:-3", "Month"])
def test_an_unknown_window_is_refused(text: str) -> None:
    with pytest.raises(
        InputError,
        match=rf"^window: cumulative, month, quarter or sliding:DAYS must be given; got '{text}'$",
    ):
        windows_from([text])


def test_an_interval_is_days_or_weeks() -> None:
    texts = ("1d", "90d", "1w", "52w", "99999d")
    assert [interval_days(text) for text in texts] == [1, 90, 7, 364, 99_999]


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5d", "1h", "1d ", "100000d", "1D"])
@pytest.mark.parametrize("option", ["--every", "--refit"])
def test_an_invalid_interval_is_refused(text: str, option: str) -> None:
    with pytest.raises(
        InputError,
        match=rf"^{option}: a number of days or weeks such as 1d or 2w must be given; "
        rf"got '{text}'$",
    ):
        interval_days(text, option)


def test_an_interval_error_names_every_by_default() -> None:
    with pytest.raises(InputError, match=r"^--every: "):
        interval_days("soon")


def test_a_day_is_an_iso_date() -> None:
    assert parse_day("2024-02-29", "--until") == date(2024, 2, 29)
    assert parse_day(None, "--until") is None


@pytest.mark.parametrize("text", ["", "2023-02-29", "29.2.2024", "today"])
def test_an_invalid_date_is_refused(text: str) -> None:
    with pytest.raises(
        InputError, match=rf"^--until: a date such as 2024-05-31 must be given; got '{text}'$"
    ):
        parse_day(text, "--until")


def test_tomorrow_is_the_day_after_today_in_utc() -> None:
    before = datetime.now(UTC).date()
    found = tomorrow()
    assert before + timedelta(days=1) <= found <= datetime.now(UTC).date() + timedelta(days=1)


def test_a_file_is_written_only_into_a_folder_that_exists(tmp_path: Path) -> None:
    assert writable(None) is None
    assert writable(tmp_path / "new.json") == tmp_path / "new.json"
    with pytest.raises(
        InputError,
        match=r"^.*new\.json: the folder to write into must exist; got no folder .*none$",
    ):
        writable(tmp_path / "none" / "new.json")
