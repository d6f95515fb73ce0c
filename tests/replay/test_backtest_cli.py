"""`tocsin backtest`, from files to files: what another set of rules would have done."""

import csv
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.support.cli import Run, require_refused
from tests.support.reports import report_line

JANUARY = date(2024, 1, 1)


# Days of January on which a case of each pair is received.
STORY = {
    ("zinc", "Rash"): (1, 2, 3, 4, 5),
    ("iron", "Fever"): (1, 1, 1),
    ("gold", "Pain"): (2, 3, 4),
    ("neon", "Cough"): (5,),
    ("lead", "Itch"): (6, 6, 6, 6, 6),
}

AS_IT_IS = """
[three_cases]
title = "three"
source = "test"
all = [{ statistic = "n_observed", op = ">=", value = 3 }]
"""

INSTEAD = """
[watched]
title = "five, or one if watched"
source = "test"
any = [
    { statistic = "n_observed", op = ">=", value = 5 },
    { all = [
        { statistic = "n_observed", op = ">=", value = 1 },
        { column = "drug", on_list = "additional_monitoring", without_list = false },
    ] },
]
"""

BACKTEST = (
    "backtest told.jsonl --rules now.toml --against then.toml "
    "--list additional_monitoring=watched.txt "
)


@pytest.fixture
def folder(run: Run, tmp_path: Path) -> Path:
    told = [(day, pair) for pair, days in STORY.items() for day in days]
    lines = [
        report_line(f"{at}", JANUARY.replace(day=day), *pair)
        for at, (day, pair) in enumerate(sorted(told))
    ]
    files = {
        "told.jsonl": "".join(lines),
        "now.toml": AS_IT_IS,
        "then.toml": INSTEAD,
        "watched.txt": "gold\nneon\n",
        "controls.csv": "event,drug,why\nFever,iron,x\nCough,zinc,x\nRash,gold,x\nPain,lead,x\n"
        "Fever,iron,twice\n",
        "notes.txt": "hello",
        "narrow.csv": "drug,reaction\nzinc,Rash\n",
        "empty.csv": "drug,event\n",
        "nothing.csv": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_switch_of_rules_is_shown_in_numbers(run: Run, folder: Path) -> None:
    ended = run(BACKTEST + "--negative-controls controls.csv --details details.csv")
    assert (ended.code, ended.err.strip()) == (0, "")
    assert "17 messages" in ended.out
    # By hand, IC025 from the gamma quantile: under the rules as they are, iron is published again
    # on 3 and 6 January and zinc on the 5th, under the others gold on the 3rd and 4th, each because
    # its IC025 had risen by half a unit.
    assert ended.rows() == [
        ["", "--rules now.toml", "--against then.toml"],
        ["signals ever an alarm", "4", "4"],
        ["alert revisions", "7", "6"],
        ["revisions per 10,000 messages", "4,117.6", "3,529.4"],
        # One of four: from 1 - 0.975^(1/4); none of four: up to 1 - 0.025^(1/4).
        ["of 4 negative controls ever an alarm", "25.0% [0.6%, 80.6%]", "0.0% [0.0%, 60.2%]"],
    ]
    assert (
        "Switching from now.toml to then.toml: 1 alarms gained, 1 lost, 1 earlier, 1 later, "
        "1 on the same day." in ended.out
    )
    with (folder / "details.csv").open(encoding="utf-8", newline="") as details:
        assert list(csv.reader(details)) == [
            ["change", "drug", "event", "window", "rules_first", "against_first"],
            ["gained", "neon", "Cough", "cumulative", "", "2024-01-05"],
            ["lost", "iron", "Fever", "cumulative", "2024-01-01", ""],
            ["earlier", "gold", "Pain", "cumulative", "2024-01-04", "2024-01-02"],
            ["later", "zinc", "Rash", "cumulative", "2024-01-03", "2024-01-05"],
        ]


def test_rarer_looks_come_later(run: Run, folder: Path) -> None:
    # Weeks are counted from 1970-01-01, a Thursday: one ends on Wednesday 3 January.
    assert run(BACKTEST + "--every 1w --details details.csv").code == 0
    rows = (folder / "details.csv").read_text(encoding="utf-8").splitlines()
    assert rows[1:] == [
        "gained,neon,Cough,cumulative,,2024-01-06",
        "lost,iron,Fever,cumulative,2024-01-03,",
        "earlier,gold,Pain,cumulative,2024-01-06,2024-01-03",
        "later,zinc,Rash,cumulative,2024-01-03,2024-01-06",
    ]


def test_each_window_has_signals_of_its_own(run: Run, folder: Path) -> None:
    windows = "--window month --window cumulative --details details.csv"
    assert "2 alarms gained, 2 lost, 2 earlier, 2 later, 2 on" in run(BACKTEST + windows).out
    rows = (folder / "details.csv").read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[3] for row in rows[1:3]] == ["2024-01", "cumulative"]


def test_rules_of_the_screening_add_signals_and_no_alarm(run: Run, folder: Path) -> None:
    """Three cases as the screening of the others: iron is a signal there, and no alarm is lost."""
    alone = run(BACKTEST).rows()
    ended = run(BACKTEST + "--against-screening now.toml")
    assert ended.rows()[:2] == alone[:2]
    # zinc, iron, gold and lead have three cases; neon is the watched one's.
    assert ended.rows()[2] == ["signals of either grade", "4", "5"]
    assert "1 alarms gained, 1 lost, 1 earlier, 1 later, 1 on the same day." in ended.out
    swapped = run(BACKTEST + "--screening then.toml").rows()
    assert swapped[1:3] == [alone[1], ["signals of either grade", "5", "4"]]


def test_the_same_rules_change_nothing(run: Run, folder: Path) -> None:
    ended = run("backtest told.jsonl --rules now.toml --against now.toml --details details.csv")
    assert "0 alarms gained, 0 lost, 0 earlier, 0 later, 4 on the same day." in ended.out
    assert "negative controls" not in ended.out
    assert len((folder / "details.csv").read_text(encoding="utf-8").splitlines()) == 1


def test_names_with_brackets_are_printed_as_they_are(run: Run, folder: Path) -> None:
    (folder / "[bold]now.toml").write_text(AS_IT_IS, encoding="utf-8")
    ended = run("backtest told.jsonl --rules [bold]now.toml --against then.toml")
    assert ended.rows()[0][1] == "--rules [bold]now.toml"
    assert "Switching from [bold]now.toml to then.toml:" in ended.out


NULL = "backtest mixed.jsonl --rules now.toml,ic --null permute --every 7d "


@pytest.fixture
def mixed(folder: Path) -> Path:
    """Reports, six a day from 1 December to 20 January, with a drug and an unrelated event."""
    days = [date(2023, 12, 1) + timedelta(days=n // 6) for n in range(300)]
    lines = [
        report_line(f"{n:03}", day, f"drug {n % 5}", f"Event {(n // 5 * 7 + n * n) % 11 % 6}")
        for n, day in enumerate(days)
    ]
    (folder / "mixed.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def test_a_null_is_shown_in_numbers(run: Run, mixed: Path) -> None:
    ended = run(NULL + "--permutations 4 --seed 8")
    assert (ended.code, ended.err.strip()) == (0, "")
    assert "--rules now.toml,ic: reported pairs that ever alerted, null within day" in ended.out
    assert "Permutations: 4; cases: 300, follow-ups collapsed; could not move: 0.0%;" in ended.out
    rows = ended.rows()
    start = rows.index(["rule", "grade", "null", "95% limits", "limits by", "data"])
    # Three cases: all 30 pairs have ten on average, of 300 reports.
    shares = ["100.00%", "88.43% to 100.00%", "Clopper-Pearson", "100.00%"]
    assert rows[start + 1] == ["three_cases", "alarm", *shares]
    assert [row[0] for row in rows[start + 2 : start + 4]] == ["ic", "any of the alarm"]
    assert rows[start + 4] == ["first alert in", "three_cases", "ic", "any of the alarm"]
    by_year = {row[0]: float(row[1]) for row in rows[start + 5 :]}
    assert by_year.keys() == {"2023", "2024"}
    assert sum(by_year.values()) == 30


def test_a_null_is_repeated_by_its_seed(run: Run, mixed: Path) -> None:
    first, again, other = (run(NULL + f"--seed {seed}").out for seed in (5, 5, 6))
    assert first == again != other


def test_cases_that_cannot_move_are_shown(run: Run, folder: Path) -> None:
    # 5 of 17: on 6 January every report is of one drug, on the other days there are two drugs.
    ended = run("backtest told.jsonl --rules now.toml --null permute --permutations 1")
    assert "could not move: 29.4%;" in ended.out


def test_both_sets_of_rules_are_run_on_the_null(run: Run, folder: Path) -> None:
    ended = run(BACKTEST + "--null permute --within sex --negative-controls controls.csv")
    assert "--rules now.toml: reported pairs that ever alerted, null within sex" in ended.out
    assert "--against then.toml: reported pairs that ever alerted, null within sex" in ended.out
    assert "Switching from now.toml to then.toml: 1 alarms gained" in ended.out
    assert [row[0] for row in ended.rows()].count("of 4 negative controls ever an alarm") == 1


def test_one_set_of_rules_has_one_column(run: Run, folder: Path) -> None:
    ended = run("backtest told.jsonl --rules now.toml --null permute")
    assert ended.rows()[:2] == [["", "--rules now.toml"], ["signals ever an alarm", "4"]]
    assert "Switching" not in ended.out


def test_a_null_of_no_case_is_refused(run: Run, folder: Path) -> None:
    (folder / "broken.jsonl").write_text("{\n", encoding="utf-8")
    require_refused(
        run("backtest broken.jsonl --rules ic --null permute"),
        "backtest: the sources must hold a counted case to permute; got none",
    )


NOW_THEN = "backtest told.jsonl --rules now.toml --against "


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("backtest none.jsonl --rules ic --against ema", "none.jsonl: must be a file; got nothing"),
        (NOW_THEN + "nonsense", "load_rules: a rule must be a .toml file or among "),
        (NOW_THEN + "none.toml", "load_rules: none.toml must be a readable TOML file; got "),
        (NOW_THEN + "eb05", "rules: EBGM needs a prior, from a file or fitted every so many days;"),
        (NOW_THEN + "ic --every 0d", "--every: a number of days or weeks such as 1d or 2w must be"),
        (NOW_THEN + "ic --refit soon", "--refit: a number of days or weeks such as 1d or 2w must "),
        (NOW_THEN + "ic --window week", "window: cumulative, month, quarter or sliding:DAYS must "),
        (NOW_THEN + "ic --details no/d.csv", "no/d.csv: the folder to write into must exist; got "),
        (NOW_THEN + "ic --list ime", "--list: NAME=FILE must be given; got 'ime'"),
        (NOW_THEN + "ic --list important_events=no.txt", "--list important_events: no.txt must be"),
        (
            NOW_THEN + "ic --list mine=watched.txt",
            "load_rules: a list must be one that a rule asks",
        ),
        (
            "backtest told.jsonl --rules ic",
            "backtest: --against or --null permute must be given; got neither",
        ),
        (
            NOW_THEN + "ic --null permute --within week",
            "within: one or more of day, month, quarter, age, sex, state, country, region must be "
            "given; got 'week'",
        ),
        (
            NOW_THEN + "ic --negative-controls none.csv",
            "--negative-controls: none.csv must be a readable CSV file; got ",
        ),
        (
            NOW_THEN + "ic --negative-controls nothing.csv",
            "--negative-controls: nothing.csv must be a readable CSV file; got ",
        ),
        (
            NOW_THEN + "ic --negative-controls narrow.csv",
            "--negative-controls: narrow.csv must have the columns drug, event; "
            "got ['drug', 'reaction']",
        ),
        (
            NOW_THEN + "ic --negative-controls empty.csv",
            "--negative-controls: empty.csv must name at least one pair; got none",
        ),
    ],
)
def test_a_mistake_ends_with_2_and_one_line(
    arguments: str, line: str, run: Run, folder: Path
) -> None:
    require_refused(run(arguments), line)
