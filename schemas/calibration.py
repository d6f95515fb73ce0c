"""What an installation's negative controls show at an evaluation: bias, and false alerts."""

from pydantic import Field

from schemas.base import Message

__all__ = ["Calibration"]


class Calibration(Message):
    """The pair against pairs known to be unrelated, in the same window and evaluation.

    The empirical null (Schuemie and others 2014) is the distribution of the log of observed to
    expected cases within strata (`expected_adjusted`) among negative controls, beyond chance.
    Confounding and selective reporting that the controls share with the pair are allowed for; no
    other are.
    """

    n_controls: int = Field(ge=1, description="Negative controls: distinct pairs of the list.")
    n_controls_with_case: int = Field(
        ge=0, description="Of them, those with a case, to which the empirical null is fitted."
    )
    mean: float | None = Field(
        description="Mean of the empirical null [log2 units]; 0 without bias. Null if fewer than "
        "10 controls have a case, as are `sd` and `lower`."
    )
    sd: float | None = Field(
        description="Its standard deviation [log2 units], without the controls' sampling error."
    )
    lower: float | None = Field(
        description="Calibrated lower bound of observed to expected cases [log2 units, as the IC]: "
        "the lower end of a 95% interval, less the mean, widened by the standard deviation, and "
        "without the shrinkage of the IC. Null too if the pair has no case."
    )
    n_controls_on: int = Field(
        ge=0, description="Negative controls that are alarms after this evaluation."
    )
    false_alert_rate: float = Field(
        ge=0, le=1, description="`n_controls_on` as a share of `n_controls`."
    )
