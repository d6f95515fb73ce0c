"""Totals of published revisions: read once, then what is new alone."""

from collections import Counter
from datetime import date
from pathlib import Path

from schemas.alert import SignalGrade
from schemas.normal_form import normal_drug, normal_term
from schemas.strata import Strata
from streams.console.operations.published_revisions import PublishedRevisions
from tests.support.alerts import safety, signal
from tests.support.api_server import feed, service_in
from tests.support.operations import calibrated


def test_they_are_those_of_the_alerts_and_grow_with_them(tmp_path: Path) -> None:
    service = service_in(tmp_path)
    published = PublishedRevisions(service)
    assert published.now().n == 0
    feed(service, [signal(), safety()])
    assert published.now().n == 2
    later = signal(revision=2).model_copy(
        update={"evaluated_on": date(2024, 2, 3), "rules_hash": "f" * 64}
    )
    feed(service, [later])
    found = published.now()
    with service.model() as model:
        assert found.n == model.numbers()["alerts"] == 3
    assert found.by_month == {
        date(2024, 1, 1): Counter({"new": 1}),
        date(2019, 10, 1): Counter({"new": 1}),
        date(2024, 2, 1): Counter({"strengthened": 1}),
    }
    assert found.versions["rules"] == {
        signal().rules_hash: date(2024, 1, 1),
        "f" * 64: date(2024, 2, 3),
    }
    assert published.now().n == 3


def test_versions_are_of_what_alerts_state(tmp_path: Path) -> None:
    service = service_in(tmp_path)
    stated = {"dictionary_versions": ("MedDRA 27.0",), "strata": Strata(age_bands=(2.0, 18.0))}
    feed(service, [signal().model_copy(update=stated), safety()])
    versions = PublishedRevisions(service).now().versions
    assert set(versions) == {"rules", "policy", "code", "dictionary", "strata"}
    assert versions["dictionary"] == {"MedDRA 27.0": date(2024, 1, 1)}
    assert versions["code"] == {"1": date(2019, 10, 9)}
    ((strata, _),) = versions["strata"].items()
    assert strata.endswith("age bands to 2, 18")


def test_controls_are_of_the_latest_alert_and_pairs_of_all(tmp_path: Path) -> None:
    service = service_in(tmp_path)
    feed(
        service,
        [
            signal(drug="A").model_copy(update={"calibration": calibrated(4)}),
            signal(drug="B", grade=SignalGrade.SCREENING).model_copy(
                update={"calibration": calibrated(2)}
            ),
        ],
    )
    found = PublishedRevisions(service).now()
    assert found.calibration is not None
    assert (found.calibration["n_controls_on"], found.most_controls_on) == (2, 4)
    assert found.alarms == {(normal_drug("A"), normal_term("Sepsis"))}


def test_a_rebuilt_model_is_counted_anew(tmp_path: Path) -> None:
    service = service_in(tmp_path)
    published = PublishedRevisions(service)
    feed(service, [signal(drug=f"drug {number}") for number in range(3)])
    assert published.now().n == 3
    for path in tmp_path.glob("signals.db*"):
        path.unlink()
    (tmp_path / "alerts.jsonl").unlink()
    feed(service, [signal()])
    assert published.now().n == 1
