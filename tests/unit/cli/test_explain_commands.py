"""`tocsin explain` on the terminal and as JSON."""

import io
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from streams.cli.explain_commands import section_table
from streams.cli.terminal import Console
from tests.support.cli import COMMAND, require_refused, tocsin
from tests.support.explained import in_order, reports


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reports") / "reports.jsonl"
    path.write_text("".join(report.model_dump_json() + "\n" for report in in_order()))
    return path


def test_json_has_every_section_with_all_rows(source: Path) -> None:
    done = tocsin("explain", "zinc", "Rash", source, "--rules", "mhra", "--json")
    assert done.code == 0, done.out
    found = json.loads(done.out)
    assert (found["drug"], found["event"], found["day"]) == ("zinc", "Rash", "2024-04-29")
    measures = {row["measure"]: row["value"] for row in found["sections"]["measures"]["rows"]}
    assert (measures["n_observed"], measures["n_total"]) == (10, 124)
    assert found["sections"]["alerts"]["rows"][0]["day"].startswith("2024-")
    assert all(section["title"] and section["says"] for section in found["sections"].values())


def test_until_counts_the_reports_up_to_a_day(source: Path) -> None:
    done = tocsin("explain", "zinc", "rash", source, "--until", "2024-02-10", "--json")
    found = json.loads(done.out)
    measures = {row["measure"]: row["value"] for row in found["sections"]["measures"]["rows"]}
    wanted = sum(str(report.first_received) <= "2024-02-10" for report in reports())
    assert measures["n_total"] == wanted < 124
    assert found["day"] <= "2024-02-10"


def test_tables_fit_eighty_columns(source: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "explain", "zinc", "rash", str(source)],
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "zinc and rash, by 2024-04-29" in done.stdout
    assert "20.8 (" in done.stdout or "Mantel-Haenszel" in done.stdout
    assert "FitWarning" not in done.stderr


def test_infinite_values_are_text_in_json(source: Path) -> None:
    """Every case of gold has cough: its odds ratio has no upper bound."""
    done = tocsin("explain", "gold", "cough", source, "--json")
    assert done.code == 0
    found = json.loads(done.out, parse_constant=lambda name: pytest.fail(name))
    measures = {row["measure"]: row["value"] for row in found["sections"]["measures"]["rows"]}
    assert (measures["ror"], measures["ror_upper"]) == ("inf", "inf")


def test_a_name_that_no_case_has_is_refused_in_one_line(source: Path) -> None:
    require_refused(
        tocsin("explain", "nickel", "rash", source), "a counted case must name the drug"
    )


def test_a_day_before_the_first_report_is_refused(source: Path) -> None:
    done = tocsin("explain", "zinc", "rash", source, "--until", "2020-01-01")
    assert done.code != 0
    assert "report" in done.out + done.err


def test_an_interval_is_beside_its_value_or_below_it_and_margins_give_way() -> None:
    row = {
        "subgroup": "age 0 to below 0.5 (years)",
        **dict.fromkeys(("observed", "drug", "event", "total"), "1,234"),
        "ror": "1.89 (0.403 to 8.87)",
        "ror ratio": "-0.62 (-0.13 to 2.96)",
    }

    def shown(width: int) -> str:
        console = Console(file=io.StringIO(), width=width)
        console.print(section_table([row], console))
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    beside = shown(100)
    assert re.search(r"1,234 +1\.89 \(0\.403 to 8\.87\) +-0\.62 \(-0\.13 to 2\.96\)", beside)
    below = shown(80)
    assert re.search(r"1,234 +1\.89 +-0\.62 +\n.* \(0\.403 to 8\.87\) +\(-0\.13 to 2\.96\)", below)
    assert "total" in below
    least = shown(56)
    assert re.search(r"\(0\.403 to 8\.87\) +\(-0\.13 to 2\.96\)", least)
    assert "Without drug, event and total: --json has all." in least
    assert "total" not in least.splitlines()[0]
