"""One window counted from cases by hand: what an evaluation of it reads, without a detector."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import polars as pl

from detectors.rules import RuleSet, load_rules
from schemas.alert import InputOffset, Window, WindowKind
from streams.core.alerts.case_sources import Origins
from streams.core.cases.strata import default_age_bands
from streams.core.counting.case_codes import UNIT
from streams.core.counting.case_log import CASE_LOG, CaseLog
from streams.core.counting.count_changes import CountChanges
from streams.core.counting.level_codes import LevelCodes
from streams.core.counting.removed_cases import RemovedCases
from streams.core.counting.sorted_counts import Keys
from streams.core.counting.spelling_counts import Spellings
from streams.core.counting.vocabulary import Vocabulary
from streams.core.counting.windows import Tally
from streams.core.signals.anytime_test import SequentialTests
from streams.core.signals.counts_view import CountsView
from streams.core.signals.new_evidence import ChangesSinceEvaluation
from streams.core.signals.scorer import Scorer
from streams.core.signals.window_scores import WindowInstance

EPOCH = date(1970, 1, 1)
DAY = 19_782  # 2024-02-29
AS_OF = [InputOffset(topic="pv.reports", partition=0, next_offset=7)]


def rules_of(*fewest: int) -> RuleSet:
    """Return a rule for each number: it fires from so many cases on, and is named after it."""
    conditions = [{"all": [{"statistic": "n_observed", "op": ">=", "value": n}]} for n in fewest]
    return RuleSet.model_validate(
        {
            "rules": [
                {"name": f"from_{n}", "title": f"{n} cases", "source": "test", "condition": each}
                for n, each in zip(fewest, conditions, strict=True)
            ]
        }
    )


class CountedWindow:
    """A cumulative window and the changes of its cases since it was last evaluated."""

    def __init__(self) -> None:
        self.drugs, self.events, self.strata = Vocabulary(), Vocabulary(), Vocabulary()
        self.origins, self.indications = Vocabulary(), Vocabulary()
        self.log, self.removals = CaseLog(), RemovedCases()
        self.spellings = Spellings()
        self.pending, self.tally = ChangesSinceEvaluation(), Tally()
        self.touched: list[Keys] = []
        self._rows = 0

    def count(
        self,
        case_ids: Sequence[str],
        drugs: Sequence[str],
        events: Sequence[str],
        *,
        n: int = 1,
        day: int = DAY,
        age: str = "adult",
        region: str = "",
        serious: bool = False,
        fatal: bool = False,
        origin: str = "US\x1fp\x1fA",
        indications: str = "",
    ) -> None:
        """Count cases alike but for their ids, names spelt as counted; with -1 take them back."""
        rows = pl.DataFrame(
            {
                "seq": range(self._rows, self._rows + len(case_ids)),
                "day": day,
                "case_id": case_ids,
                "stratum": self.strata.code(UNIT.join((age, "female", region))),
                "block": 0,
                "serious": serious,
                "fatal": fatal,
                "drugs": [[self.drugs.code(name) for name in drugs]] * len(case_ids),
                "events": [[self.events.code(name) for name in events]] * len(case_ids),
                "origin": self.origins.code(origin),
                "indications": self.indications.code(indications),
                "completeness": 50,
                "suspected_duplicate": False,
                "life_threatening": False,
                "courses": None,
                "onsets": None,
                "n": n,
            },
            schema=dict(CASE_LOG),
        )
        self._rows += len(case_ids)
        changes = CountChanges.of(rows)
        self.spellings.add_cases(changes)
        spelt = {"drug_spellings": [drugs] * len(rows), "event_spellings": [events] * len(rows)}
        self.spellings.add_spellings(rows, pl.DataFrame(spelt))
        self.log.append(rows)
        self.tally.fold(changes)
        self.pending.note(rows, changes.pairs)
        self.touched.append(changes.pairs.keys)

    def evaluated(self) -> None:
        """Regard all changes so far as evaluated."""
        self.pending.clear()
        self.touched.clear()

    def key(self, drug: str, event: str) -> int:
        """Return the key of a pair."""
        return self.drugs.code(drug) << 32 | self.events.code(event)

    def pairs(self, keys: Keys) -> list[tuple[str, str]]:
        """Return the names of pairs, in their order."""
        names = zip(
            self.drugs.decode(keys >> 32), self.events.decode(keys & 0xFFFF_FFFF), strict=True
        )
        return list(names)

    def tests(self, *presets: str) -> SequentialTests:
        """Return the tests that rules ask for, before the first day."""
        origins = lru_cache(maxsize=1)(Origins)
        return SequentialTests(
            Scorer(load_rules(presets) if presets else rules_of(1)),
            self.levels,
            lambda: origins(self.origins).parts["source"],
        )

    def levels(self) -> LevelCodes:
        """Return the level of each code."""
        levels = LevelCodes()
        levels.learn(self.drugs, self.events)
        return levels

    def view(self, tests: SequentialTests | None = None) -> CountsView:
        """Return what an evaluation reads."""
        return CountsView(
            drugs=self.drugs,
            events=self.events,
            strata=self.strata,
            levels=self.levels(),
            origins=self.origins,
            indications=self.indications,
            spellings=self.spellings,
            log=self.log,
            removals=self.removals,
            pending=self.pending,
            tests=tests or self.tests(),
            age_bands=default_age_bands(),
            as_of=AS_OF,
        )

    def instance(self, today: int = DAY, *, full: bool = True) -> WindowInstance:
        """Return the window on a day."""
        last = EPOCH + timedelta(days=today)
        return WindowInstance(
            window=Window(
                kind=WindowKind.CUMULATIVE, label="cumulative", first_day=None, last_day=last
            ),
            tally=self.tally,
            today=today,
            touched=np.unique(np.concatenate([np.empty(0, dtype=np.int64), *self.touched])),
            full=full,
        )
