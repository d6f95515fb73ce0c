"""The counts that an evaluation reads: keys get the names of their drugs and events."""

import polars as pl

from detectors.rules import load_rules
from streams.core.cases.strata import default_age_bands
from streams.core.counting.case_log import CaseLog
from streams.core.counting.level_codes import LevelCodes
from streams.core.counting.removed_cases import RemovedCases
from streams.core.counting.spelling_counts import Spellings
from streams.core.counting.vocabulary import Vocabulary
from streams.core.signals.anytime_test import SequentialTests
from streams.core.signals.counts_view import CountsView
from streams.core.signals.new_evidence import ChangesSinceEvaluation
from streams.core.signals.scorer import Scorer


def test_a_table_of_keys_is_named() -> None:
    drugs, events, none = Vocabulary(["zinc", "iron"]), Vocabulary(["Rash", "Fever"]), Vocabulary()
    view = CountsView(
        drugs=drugs,
        events=events,
        strata=none,
        levels=LevelCodes(),
        origins=none,
        indications=none,
        spellings=Spellings(),
        log=CaseLog(),
        removals=RemovedCases(),
        pending=ChangesSinceEvaluation(),
        tests=SequentialTests(Scorer(load_rules("ic")), LevelCodes, pl.Series),
        age_bands=default_age_bands(),
        as_of=(),
    )
    table = pl.DataFrame({"key": [1 << 32 | 0, 0 << 32 | 1], "n_observed": [3, 4]})
    named = view.named(table)
    assert named.columns == ["drug", "event", "key", "n_observed"]
    assert named.select("drug", "event").rows() == [("iron", "Rash"), ("zinc", "Fever")]
    assert view.named(table, ["event"]).columns == ["event", "key", "n_observed"]
