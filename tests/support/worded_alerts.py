"""Alerts with the numbers of the worked examples of the wording, built without a detector."""

from datetime import date

from detectors.rules import load_rules
from schemas.alert import Alert, AlertKind, AlertReason, Previous, Statistics
from schemas.rule_outcome import PastExit, RuleOutcome, Threshold
from schemas.scrutiny import Restricted
from schemas.tables import Counts, RestrictedStatistics
from streams.core.wording.signal_text import signal_texts
from tests.support.alerts import signal

SET = load_rules(["mhra", "ema", "ic", "safe"]).rules
Was = tuple[int, str, str, int, float, float, str]
"""Revision, kind, day, cases, IC025, lower bound of the ROR, rules on; of the one before."""


def alert_of(
    drug: str,
    event: str,
    n: int,
    *,
    kind: str = "strengthened",
    reasons: str = "more_cases",
    on: str = "",
    held: str = "",
    off: dict[str, tuple[str, float]] | None = None,
    fatal: int = 0,
    was: Was | None = None,
    **statistics: float,
) -> Alert:
    """Return an alert with these numbers; others are undefined."""
    fired = set(f"{on} {held}".split())
    gone = off or {}
    rules = tuple(
        RuleOutcome(
            name=rule.name,
            title=rule.title,
            sentence=rule.sentence,
            exit_sentence=rule.exit_sentence,
            fired=rule.name in fired,
            held=rule.name in held.split(),
            thresholds=tuple(
                Threshold(statistic=c.statistic, op=c.op, value=c.value, exit=c.exit_bound)
                for c in rule.comparisons
            ),
            past_exit=tuple(
                PastExit(statistic=name, value=value, exit=c.exit_bound)
                for name, value in [gone.get(rule.name, ("", 0.0))]
                for c in rule.comparisons
                if c.statistic == name
            ),
        )
        for rule in SET
    )
    values = {**dict.fromkeys(Statistics.model_fields), **statistics}
    draft = signal(n, drug=drug, event=event, fatal=fatal).model_copy(
        update={
            "kind": AlertKind(kind),
            "reasons": tuple(AlertReason(reason) for reason in reasons.split()),
            "rules": rules,
            "rules_fired": tuple(sorted(fired)),
            "previous": None if was is None else _previous(was),
            "revision": 1 if was is None else was[0] + 1,
            "counts": Counts(n_observed=n, n_drug=9_000, n_event=9_000, n_total=90_000),
            "statistics": Statistics(**values),
            "n_new": None,
        }
    )
    return _with_texts(draft)


def _with_texts(draft: Alert) -> Alert:
    texts = signal_texts(draft)
    written = {name: getattr(texts, name) for name in ("headline", "reason", "sentence")}
    return draft.model_copy(update={**written, "next_step": texts.next_step})


def _previous(was: Was) -> Previous:
    revision, kind, day, n, ic_lower, ror_lower, rules = was
    return Previous(
        revision=revision,
        kind=AlertKind(kind),
        evaluated_on=date.fromisoformat(day),
        n_observed=n,
        ic_lower=ic_lower,
        ror_lower=ror_lower,
        rules_fired=tuple(sorted(rules.split())),
    )


SIDS = alert_of(
    "HEP", "Sudden infant death syndrome", 99, kind="new", reasons="first", on="safe", fatal=99,
    expected=125.2, expected_stratified=63.1, ror=0.719, ror_lower=0.573, ror_upper=0.903,
    ic=-0.34, ic_lower=-0.64, e_bh_level=0.043,
)  # fmt: skip
WEAKNESS = alert_of(
    "FLU3", "Muscular weakness", 16, kind="weakened",
    reasons="rule_off further_rule more_cases ic_rose", on="mhra ema ic",
    off={"safe": ("e_bh_level", 0.45)},
    was=(9, "strengthened", "2000-06-08", 10, -0.104, 1.13, "mhra ema safe"),
    expected=6.27, expected_stratified=10.2, ror=3.26, ror_lower=1.81, ror_upper=5.90, prr=3.26,
    chi2_yates=15.5, ic=1.28, ic_lower=0.494, e_bh_level=0.45,
)  # fmt: skip
STUPOR = alert_of(
    "HBHEPB", "Stupor", 26, reasons="reopened", on="safe", fatal=2,
    was=(8, "closed", "2000-07-11", 23, -0.32, 0.838, ""),
    expected=25.952, expected_stratified=56.0, ror=1.002, ror_lower=0.678, ror_upper=1.48,
    ic=0.003, ic_lower=-0.61, e_bh_level=0.026,
)  # fmt: skip
STARING = alert_of(
    "MMR", "Staring", 7, kind="closed", reasons="no_rule_on", off={"ema": ("ror_lower", 0.808)},
    was=(2, "weakened", "2000-06-08", 5, -0.581, 0.922, "ema"),
    expected=4.19, expected_stratified=6.3, ror=1.97, ror_lower=0.808, ror_upper=4.78,
    ic=0.68, ic_lower=-0.58,
)  # fmt: skip
HYPOVENTILATION = alert_of(
    "MEN", "Hypoventilation", 3, kind="closed", reasons="no_rule_on",
    off={"mhra": ("chi2_yates", 2.7096)},
    was=(1, "new", "1999-10-15", 3, -0.45, 1.48, "mhra"),
    expected=0.923, expected_stratified=0.78, ror=3.29, ror_lower=1.05, ror_upper=10.3,
    prr=3.28, chi2_yates=2.7096, ic=1.30, ic_lower=-0.75,
)  # fmt: skip
UVEITIS = alert_of(
    "zetamab", "Uveitis", 2, kind="retraction", reasons="cases_retracted no_rule_on",
    off={"mhra": ("n_observed", 2), "ic": ("ic_lower", -0.28)},
    was=(3, "strengthened", "2024-03-05", 3, 0.74, 325.0, "mhra ic"),
    expected=0.00415, expected_stratified=0.095, ror=4330.0, ror_lower=195.0, ror_upper=96_000.0,
    prr=1440.0, chi2_yates=541.0, ic=2.31, ic_lower=-0.28,
).model_copy(update={"n_new": 0})  # fmt: skip
UVEITIS = _with_texts(UVEITIS)
VASODILATATION = alert_of(
    "OPV", "Vasodilatation", 866, held="ema ic", fatal=5,
    was=(3, "strengthened", "1993-03-11", 576, 0.01, 1.04, "ema ic"),
    expected=887.0, expected_stratified=792.0, ror=0.964, ror_lower=0.888, ror_upper=1.05,
    ic=-0.03, ic_lower=-0.13,
)  # fmt: skip
VOMITING = alert_of(
    "TYP", "Vomiting", 19, kind="weakened", reasons="rule_off first_paediatric", held="ema",
    off={"ic": ("ic_lower", -0.27)},
    was=(4, "strengthened", "1992-02-24", 17, -0.09, 1.04, "ema ic"),
    expected=13.8, expected_stratified=9.2, ror=1.43, ror_lower=0.886, ror_upper=2.30,
    ic=0.45, ic_lower=-0.27,
)  # fmt: skip
GUILLAIN_BARRE = alert_of(
    "FLU3", "ギラン・バレー症候群", 9, reasons="first_fatal", on="mhra ema ic safe", fatal=1,
    was=(4, "strengthened", "1990-10-19", 7, 2.14, 38.4, "mhra ema ic safe"),
    expected=0.591, expected_stratified=2.6, ror=53.5, ror_lower=16.1, ror_upper=178.0,
    prr=47.2, chi2_yates=112.0, ic=3.12, ic_lower=2.03, e_bh_level=0.0011,
)  # fmt: skip
INSOMNIA = alert_of(
    "OPV", "不眠症", 393, kind="weakened", reasons="rule_off", on="ema ic safe", fatal=7,
    off={"mhra": ("prr", 1.677)},
    was=(16, "strengthened", "1996-03-12", 290, 0.37, 1.57, "mhra ema ic safe"),
    expected=273.0, expected_stratified=356.0, ror=1.69, ror_lower=1.49, ror_upper=1.91,
    prr=1.677, chi2_yates=70.2, ic=0.53, ic_lower=0.38, e_bh_level=1e-6,
)  # fmt: skip
PROGRESSION = alert_of(
    "msc-supernatant-exosome", "悪性新生物進行", 3, kind="new", reasons="first", on="mhra ema",
    expected=0.668, expected_stratified=3.6, ror=4.71, ror_lower=1.47, ror_upper=15.1,
    prr=4.55, chi2_yates=5.10, ic=1.58, ic_lower=-0.47,
).model_copy(
    update={
        "restricted": Restricted(
            indication="cancer",
            n_stating=3,
            counts=Counts(n_observed=3, n_drug=20, n_event=100, n_total=305),
            statistics=RestrictedStatistics(
                **{
                    **dict.fromkeys(RestrictedStatistics.model_fields),
                    **{"ror": 3.5, "ror_lower": 0.575, "ror_upper": 21.3},
                }
            ),
            rules_fired=(),
            rules_not_asked=(),
            supported=False,
        )
    }
)  # fmt: skip
