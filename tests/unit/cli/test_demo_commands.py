"""`tocsin demo`: the alerts of the exosome scenario, with the rumour confirmed and refuted."""

from tests.support.cli import Run


def test_the_demo_ends_with_its_alerts(run: Run) -> None:
    ended = run("demo")
    assert ended.code == 0
    for word in ("Sepsis", "2019-10-15", "2024-05-20", "weakened", "20,068 cases counted"):
        assert word in ended.out
    for word in ("FATAL_CASE new", "UNVERIFIED_FATAL closed"):  # the rumour is confirmed
        assert word in ended.out


def test_a_refuted_rumour_ends_without_a_fatal_case(run: Run) -> None:
    ended = run("demo --refuted")
    assert ended.code == 0
    assert "UNVERIFIED_FATAL closed" in ended.out
    assert "FATAL_CASE" not in ended.out.replace("UNVERIFIED_FATAL", "")
