"""`tocsin demo`: the alerts of the exosome scenario, with the rumour confirmed and refuted."""

from tests.support.cli import Run


def test_the_demo_ends_with_its_alerts(run: Run) -> None:
    ended = run("demo")
    assert ended.code == 0
    for word in ("Sepsis", "2019-10-15", "2024-05-20", "weakened", "20,068 cases counted"):
        assert word in ended.out


def test_a_refuted_rumour_ends_without_a_fatal_case(run: Run) -> None:
    confirmed, refuted = run("demo"), run("demo --refuted")
    assert (confirmed.code, refuted.code) == (0, 0)
    assert ("FATAL_CASE new" in confirmed.out, "FATAL_CASE new" in refuted.out) == (True, False)
    for ended in (confirmed, refuted):
        assert "UNVERIFIED_FATAL closed" in ended.out
