"""The packages are ours, importable, and import one way; tests mirror their modules."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import detectors
import schemas
import streams

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (schemas, detectors, streams)
MOST_LINES = 400
MOST_MODULES = 16  # of a room of tests; those with one file a thing may have more
ONE_FILE_A_THING = {"cli", "detectors", "schemas"}
UNIT = ROOT / "tests" / "unit"

# Modules without a test of their name, and the test that is about them, by folder of tests.
TESTED_BY = {
    "streams.cli.desk_commands": "browser/test_signal.py",
    "streams.cli.replayed_desk": "browser/test_signal.py",
    "streams.console.access.sign_in_routes": "unit/console/access/test_gate.py",
    "streams.console.desk": "broker/test_desk_on_kafka.py",
    "streams.console.frame.rendering": "unit/console/worklist/test_worklist_routes.py",
    "streams.runtime.followers.history_follower": "broker/test_desk_on_kafka.py",
    "streams.runtime.followers.topic_follower": "broker/test_desk_on_kafka.py",
    "schemas.contracts": "unit/contracts/test_schema_changes.py",
    "detectors.adjusted": "oracle/test_adjusted.py",
    "detectors.anytime_valid_state": "properties/test_safe_test.py",
    "detectors.bcpnn": "oracle/test_bcpnn.py",
    "detectors.bystanders": "oracle/test_bystanders.py",
    "detectors.cells": "oracle/test_two_by_two.py",
    "detectors.chi_squared": "oracle/test_two_by_two.py",
    "detectors.conditions": "unit/detectors/test_rules.py",
    "detectors.e_values": "oracle/test_e_values.py",
    "detectors.ebgm": "oracle/test_ebgm.py",
    "detectors.expected": "oracle/test_expected.py",
    "detectors.false_discovery": "oracle/test_false_discovery.py",
    "detectors.fisher_exact": "oracle/test_fisher_exact.py",
    "detectors.case_removal": "unit/detectors/test_fragility.py",
    "detectors.gamma_mixture_fit": "unit/detectors/test_gamma_mixture.py",
    "detectors.gamma_mixture_likelihood": "unit/detectors/test_gamma_mixture.py",
    "detectors.information_component": "oracle/test_two_by_two.py",
    "detectors.interaction": "oracle/test_interaction.py",
    "detectors.intervals": "oracle/test_two_by_two.py",
    "detectors.kolmogorov_smirnov": "oracle/test_kolmogorov_smirnov.py",
    "detectors.likelihood_ratio": "oracle/test_likelihood_ratio.py",
    "detectors.mantel_haenszel": "oracle/test_mantel_haenszel.py",
    "detectors.masking": "oracle/test_masking.py",
    "detectors.maxsprt": "oracle/test_maxsprt.py",
    "detectors.poisson_lasso": "oracle/test_bystanders.py",
    "detectors.posterior_quantile": "oracle/test_ebgm.py",
    "detectors.proportional_reporting_ratio": "oracle/test_two_by_two.py",
    "detectors.relative_reporting_ratio": "oracle/test_two_by_two.py",
    "detectors.reporting_odds_ratio": "oracle/test_two_by_two.py",
    "detectors.restricted_comparator": "oracle/test_restricted_comparator.py",
    "detectors.squashing": "unit/detectors/test_gamma_mixture.py",
    "detectors.subgroups": "oracle/test_subgroups.py",
    "detectors.temporal_scan": "oracle/test_temporal_scan.py",
    "detectors.time_to_onset": "oracle/test_time_to_onset.py",
    "detectors.truncated_onset": "oracle/test_truncated_onset.py",
    "detectors.unbounded_ratios": "oracle/test_unbounded_ratios.py",
    "detectors.validation": "oracle/test_two_by_two.py",
    "streams.cli.export_commands": "replay/test_export_ermr.py",
    "streams.cli.link_commands": "replay/test_link_cli.py",
    "streams.cli.recount_commands": "replay/test_recount.py",
    "streams.cli.rejected_commands": "broker/test_redrive.py",
    "streams.cli.rule_commands": "replay/test_fit_cli.py",
    "streams.cli.validate_commands": "unit/cli/test_app.py",
    "streams.console.map.map_view": "unit/console/map/test_map_routes.py",
    "streams.console.map.live_map": "unit/console/map/test_map_routes.py",
    "streams.console.map.explorer": "unit/console/map/test_map_routes.py",
    "streams.console.safety.headings": "unit/console/safety/test_safety_routes.py",
    "streams.console.safety.page_words": "unit/console/safety/test_safety_routes.py",
    "streams.console.safety.pair_table": "unit/console/safety/test_safety_routes.py",
    "streams.console.safety.rumours": "unit/console/safety/test_safety_routes.py",
    "streams.console.safety.safety_subjects": "unit/console/safety/test_safety_routes.py",
    "streams.console.safety.statement": "unit/console/safety/test_safety_routes.py",
    "streams.console.safety.subject": "unit/console/safety/test_safety_routes.py",
    "streams.console.safety.subject_page": "unit/console/safety/test_safety_routes.py",
    "streams.console.safety.threads_of_class": "unit/console/safety/test_safety_routes.py",
    "streams.console.worklist.page": "unit/console/worklist/test_worklist_routes.py",
    "streams.core.alerts.case_sources": "unit/core/alerts/test_case_summaries.py",
    "streams.core.alerts.indications": "unit/core/alerts/test_sensitivity.py",
    "streams.core.counting.cancelled_rows": "unit/core/counting/test_case_log.py",
    "streams.core.counting.arrays": "unit/core/counting/test_count_changes.py",
    "streams.core.alerts.rule_outcomes": "unit/core/alerts/test_builder.py",
    "streams.core.recount.alerts": "replay/test_recount.py",
    "streams.core.recount.anytime_test": "replay/test_recount.py",
    "streams.core.recount.clinical": "replay/test_recount.py",
    "streams.core.recount.comparison": "replay/test_recount.py",
    "streams.core.recount.evidence": "replay/test_recount.py",
    "streams.core.recount.strata": "replay/test_recount.py",
    "streams.core.recount.fragility": "properties/test_fragility.py",
    "streams.core.recount.exclusions": "replay/test_releases.py",
    "streams.core.safety.subject_findings": "unit/core/safety/test_findings.py",
    "streams.core.signals.anytime_test": "properties/test_vigil.py",
    "streams.core.wording.safety_subjects": "unit/core/wording/test_safety_text.py",
    "streams.core.wording.measures": "unit/core/wording/test_signal_text.py",
    "streams.core.wording.signal_copies": "unit/core/wording/test_signal_text.py",
    "streams.core.wording.signal_reasons": "properties/test_wording.py",
    "streams.core.wording.signal_steps": "unit/core/wording/test_signal_text.py",
    "streams.delivery.api.service": "unit/core/alerts/test_assessment.py",
    "streams.demo.scenario": "replay/test_scenario.py",
    "streams.exports.case_counts": "replay/test_export_ermr.py",
    "streams.exports.ermr": "replay/test_export_ermr.py",
    "streams.intake.authorities.canada_layout": "unit/intake/authorities/test_canada_vigilance.py",
    "streams.intake.e2b.ack.release_2": "unit/intake/e2b/ack/test_acknowledgement.py",
    "streams.intake.e2b.ack.release_3": "unit/intake/e2b/ack/test_acknowledgement.py",
    "streams.intake.e2b.r2_patient": "unit/intake/e2b/test_r2.py",
    "streams.intake.faers.tables": "unit/intake/faers/test_reader.py",
    "streams.runtime.broker.clients": "broker/test_kafka_io.py",
    "streams.runtime.broker.membership": "broker/test_membership.py",
    "streams.runtime.broker.topic_writer": "broker/test_delivery.py",
    "streams.runtime.broker.topics": "broker/test_topics.py",
    "streams.runtime.broker.transactions": "broker/test_kafka_io.py",
    "streams.runtime.operations.splink_scores": "replay/test_link_cli.py",
    "streams.core.duplicates.known_cases": "properties/test_duplicates.py",
    "streams.runtime.workers.case_worker": "broker/test_exactly_once.py",
    "streams.runtime.workers.detect_worker": "broker/test_exactly_once.py",
    "streams.runtime.workers.link_worker": "broker/test_links.py",
    "streams.runtime.workers.stall_watchdog": "broker/test_membership.py",
    "streams.console.frame.forms": "unit/console/subscriptions/test_subscriptions_routes.py",
}
# Tests of no one module, and what they are about.
OF_NO_MODULE = {
    "console/test_words_of_pages.py": "words, texts and signs of all templates and catalogues",
    "contracts/test_schema_changes.py": "what may change in any contract, and the golden files",
    "core/wording/test_safety_catalogue.py": "the texts of safety alerts in both languages",
    "detectors/test_confounding_errors.py": "the refusals of every detector against confounding",
    "figures/test_every_picture.py": "what holds of every picture",
    "detectors/test_zero_cells.py": "the zero cells of every statistic of a pair",
    "runtime/broker/test_private_attributes.py": "what correctness needs of the Kafka client",
    "test_install.py": "the packages as a whole",
}
MOST_LINES_OF_A_FUNCTION = 60


def _modules() -> Iterator[str]:
    for package in PACKAGES:
        yield package.__name__
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield found.name


MODULES = sorted(_modules())


def test_the_packages_share_one_parent() -> None:
    parents = {Path(folder).parent for package in PACKAGES for folder in package.__path__}
    assert len(parents) == 1


def test_nobody_else_owns_their_names() -> None:
    owners = packages_distributions()  # does not know the folders of an editable install
    for package in PACKAGES:
        assert set(owners.get(package.__name__, ())) <= {"tocsin"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_the_packages_are_typed(package: object) -> None:
    (folder,) = package.__path__  # type: ignore[attr-defined]
    assert (Path(folder) / "py.typed").is_file()


def test_modules_are_discovered() -> None:
    assert {"schemas.report", "detectors.rules", "streams.core.cases.transitions"} <= set(MODULES)
    assert not [name for name in MODULES if name.rpartition(".")[2] == "kafka"]


def _isort_style(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: the order of ruff's RUF022."""
    return 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2, name


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_offers_is_sorted_and_there(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, "a module says what it is for"
    if not hasattr(module, "__all__"):
        assert module.__spec__ is not None
        assert module.__spec__.submodule_search_locations, "only an empty package offers nothing"
        return
    offered = list(module.__all__)
    assert offered == sorted(set(offered), key=_isort_style)
    for each in offered:
        assert hasattr(module, each)


def test_a_public_class_name_is_used_once() -> None:
    homes: dict[str, set[str]] = {}
    for name in MODULES:
        for each, value in vars(importlib.import_module(name)).items():
            if inspect.isclass(value) and value.__module__ == name and not each.startswith("_"):
                homes.setdefault(value.__name__, set()).add(name)
    assert {each: where for each, where in homes.items() if len(where) > 1} == {}


def test_imports_go_one_way() -> None:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    ended = subprocess.run(
        [sys.executable, "-c", code.replace("()", "(no_cache=True)")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "0 broken" in ended.stdout


def test_no_file_is_too_long_to_be_read() -> None:
    folders = [*(package.__name__ for package in PACKAGES), "tests", "benchmarks"]
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}


def test_no_function_of_the_core_is_too_long_to_be_read() -> None:
    lengths = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for path in (ROOT / "streams" / "core").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    }
    assert len(lengths) > 400
    assert {
        name: lines for name, lines in lengths.items() if lines > MOST_LINES_OF_A_FUNCTION
    } == {}


def _holds_only_data(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return not any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree)
    )


def _tested() -> dict[str, tuple[Path, Path]]:
    """Return the modules that must have a test: their files, and the rooms of their tests."""
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package.__name__).rglob("*.py"):
            if path.name == "__init__.py" or _holds_only_data(path):
                continue
            inside = path.relative_to(ROOT).with_suffix("")
            room = inside.parent.relative_to("streams") if package is streams else inside.parent
            found[".".join(inside.parts)] = path, UNIT / room
    return found


def test_every_module_has_a_test_of_its_name() -> None:
    missing = {
        name
        for name, (path, room) in _tested().items()
        if not (room / f"test_{path.stem}.py").is_file()
        and not any(room.glob(f"test_{path.stem}_*.py"))
    }
    assert missing == set(TESTED_BY)
    lost = {name: test for name, test in TESTED_BY.items() if not (ROOT / "tests" / test).is_file()}
    assert lost == {}


def test_every_test_has_the_name_of_a_module() -> None:
    strange = set()
    for test in UNIT.rglob("test_*.py"):
        inside = test.parent.relative_to(UNIT)
        packaged = inside.parts[:1] in (("detectors",), ("schemas",))
        room = ROOT / inside if packaged else ROOT / "streams" / inside
        words = test.stem.split("_")[1:]
        names = ["_".join(words[:number]) for number in range(1, len(words) + 1)]
        if not any((room / f"{name}.py").is_file() for name in names):
            strange.add(str(test.relative_to(UNIT)))
    assert strange == set(OF_NO_MODULE)


def test_a_room_of_tests_can_be_looked_through() -> None:
    rooms: dict[str, int] = {}
    for test in UNIT.rglob("test_*.py"):
        room = str(test.parent.relative_to(UNIT))
        rooms[room] = rooms.get(room, 0) + 1
    full = {room for room, number in rooms.items() if number > MOST_MODULES}
    assert full <= ONE_FILE_A_THING


def test_no_test_takes_anything_from_another_test() -> None:
    """What several share is in `tests/support` and `tests/broker/support`."""
    taken = [
        f"{path.relative_to(ROOT)}: {node.module}"
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("tests.")
        and (node.module or "").rpartition(".")[2].startswith("test_")
    ]
    assert taken == []
