"""Lists of rules: names on them and names of pairs in any spelling."""

import polars as pl

from detectors.rules import load_rules

EMA = {"ror_lower": 1.5, "n_observed": 5, "event": "Sepsis"}


def _fires(lists: dict[str, list[str]], **values: object) -> bool:
    row = {"drug": "A", **EMA, **values}
    flags = load_rules("ema", lists).evaluate(pl.DataFrame({k: [v] for k, v in row.items()}))
    return bool(flags["ema"].item())


def test_lists_and_pairs_are_compared_in_any_spelling() -> None:
    assert _fires({"important_events": [" SEPSIS ."]})
    assert _fires({"important_events": ["sepsis"]}, event="SEPSIS;")
    assert not _fires({"important_events": ["sepsis"]}, event="Septic shock")
    monitored = {"additional_monitoring": ["FASTURTEC (RASBURICASE)"], "important_events": ["Rash"]}
    few = {"n_observed": 3, "event": "RASH"}
    assert _fires(monitored, **few, drug="Rasburicase /01234501/")
    assert not _fires(monitored, **few, drug="FASTURTEC")


def test_spellings_of_a_list_do_not_change_the_hash() -> None:
    one, other = (load_rules("ema", {"important_events": [name]}) for name in ("RASH.", "Rash"))
    assert one.rules_hash == other.rules_hash
