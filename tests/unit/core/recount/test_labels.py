"""Labels recomputed from versions."""

import polars as pl

from streams.core.recount.labels import label_values


def test_labels_are_counted_case_by_case() -> None:
    cases = pl.DataFrame(
        {
            "drugs": ["\x1firon\x1fzinc\x1f", "\x1fzinc\x1f", "\x1fzinc\x1f", "\x1fzinc oxide\x1f"],
            "events": ["\x1frash\x1f", "\x1frash\x1f", "\x1ffever\x1frash\x1f", "\x1frash\x1f"],
            "drug_spellings": ["iron\x1fzinc", "", "zinc", "Zinc oxide"],
            "event_spellings": ["RASH", "RASH", "", ""],
        }
    )
    # Of zinc two and one, of rash two and two: there the first by letter.
    assert label_values(cases, "zinc", "rash") == {"drug": "zinc", "event": "RASH"}
    assert label_values(cases, "iron", "fever") == {"drug": "iron", "event": "Fever"}
    assert label_values(cases, "lead", "ache") == {"drug": "lead", "event": "ache"}
