"""The 2x2 table of a pair, and the statistics computed from it."""

from pydantic import Field

from schemas.base import Message

__all__ = ["Counts", "RestrictedStatistics", "Statistics"]


class Counts(Message):
    """The 2x2 table, as four counts of distinct cases."""

    n_observed: int = Field(ge=0, description="Cases with the drug and the event.")
    n_drug: int = Field(ge=0, description="Cases with the drug.")
    n_event: int = Field(ge=0, description="Cases with the event.")
    n_total: int = Field(ge=0, description="All cases of the population in the window.")


class Statistics(Message):
    """Disproportionality statistics. Null: undefined for these counts, or unbounded (infinite).

    Bounds are two-sided 95% intervals, but EB05 to EB95 is 90%.
    """

    expected: float | None = Field(description="Expected cases under independence.")
    expected_stratified: float | None = Field(
        description="The same, summed over age group x sex x region; 'unknown' is a stratum."
    )
    expected_adjusted: float | None = Field(
        default=None,
        description="The same, summed over calendar quarter x age band x sex, the `strata`.",
    )
    prr: float | None = Field(description="Proportional reporting ratio.")
    prr_lower: float | None = Field(description="Its lower bound.")
    prr_upper: float | None = Field(description="Its upper bound.")
    ror: float | None = Field(description="Reporting odds ratio.")
    ror_lower: float | None = Field(description="Its lower bound.")
    ror_upper: float | None = Field(description="Its upper bound.")
    rrr: float | None = Field(description="Relative reporting ratio, observed over expected.")
    chi2: float | None = Field(description="Pearson chi-square, 1 degree of freedom.")
    chi2_yates: float | None = Field(description="The same with Yates's correction.")
    ic: float | None = Field(description="Information component [log2 units].")
    ic_lower: float | None = Field(description="IC025, exact gamma quantile.")
    ic_upper: float | None = Field(description="IC975, exact gamma quantile.")
    ic_adjusted: float | None = Field(
        default=None, description="Information component with `expected_adjusted` [log2 units]."
    )
    ic_lower_adjusted: float | None = Field(default=None, description="Its IC025.")
    ic_upper_adjusted: float | None = Field(default=None, description="Its IC975.")
    ebgm: float | None = Field(
        default=None, description="Empirical Bayes geometric mean; null without a fitted prior."
    )
    eb05: float | None = Field(
        default=None, description="Its 5% posterior quantile; with EB95 a **90%** interval."
    )
    eb95: float | None = Field(default=None, description="Its 95% posterior quantile.")
    ebgm_adjusted: float | None = Field(
        default=None,
        description="Empirical Bayes geometric mean with `expected_adjusted`; null without a prior "
        "fitted to that.",
    )
    eb05_adjusted: float | None = Field(
        default=None, description="Its 5% posterior quantile; a **90%** interval as with EB05."
    )
    eb95_adjusted: float | None = Field(default=None, description="Its 95% posterior quantile.")
    e_value: float | None = Field(
        default=None,
        description="Evidence of the anytime-valid test, up to the last day that is over; "
        "null if no rule asks for it, outside the cumulative window, or beyond 1.8e308.",
    )
    log_e_value: float | None = Field(
        default=None, description="Its natural logarithm, which has no such limit."
    )
    e_bh_level: float | None = Field(
        default=None, description="Smallest false discovery rate at which e-BH flags the pair."
    )
    e_value_blocked: float | None = Field(
        default=None,
        description="The same evidence within day and age band, where alike reports of one sender "
        "on one day enter once; null as `e_value`.",
    )
    log_e_value_blocked: float | None = Field(default=None, description="Its natural logarithm.")
    e_bh_level_blocked: float | None = Field(
        default=None, description="Smallest false discovery rate at which e-BH flags it."
    )
    e_value_budgeted: float | None = Field(
        default=None,
        description="`e_value_blocked` times 8 / T, where T >= 8 is the e-value that the alarm "
        "asks of a pair to enter; T follows the number of newly reported pairs. Null as it.",
    )


class RestrictedStatistics(Message):
    """Statistics of a restricted table; null and bounds as in `Statistics`."""

    expected: float | None = Field(description="Expected cases under independence.")
    prr: float | None = Field(description="Proportional reporting ratio.")
    prr_lower: float | None = Field(description="Its lower bound.")
    prr_upper: float | None = Field(description="Its upper bound.")
    ror: float | None = Field(description="Reporting odds ratio.")
    ror_lower: float | None = Field(description="Its lower bound.")
    ror_upper: float | None = Field(description="Its upper bound.")
    chi2: float | None = Field(description="Pearson chi-square, 1 degree of freedom.")
    chi2_yates: float | None = Field(description="The same with Yates's correction.")
    ic: float | None = Field(description="Information component [log2 units].")
    ic_lower: float | None = Field(description="IC025, exact gamma quantile.")
    ic_upper: float | None = Field(description="IC975, exact gamma quantile.")
