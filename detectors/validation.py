"""Validation of the installed code against published and independent numbers: `tocsin validate`."""

import json
from collections.abc import Callable, Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import polars as pl

from detectors.case_frames import StratifiedCounts
from detectors.e_values import poisson_excess_e_value, poisson_gamma_e_value
from detectors.ebgm import ebgm
from detectors.false_discovery import false_discovery
from detectors.gamma_mixture import GammaMixture
from detectors.interaction import omega
from detectors.kolmogorov_smirnov import kolmogorov_smirnov
from detectors.likelihood_ratio import log_likelihood_ratio
from detectors.mantel_haenszel import mantel_haenszel
from detectors.masking import unmasked
from detectors.maxsprt import maxsprt_critical_value
from detectors.proportional_reporting_ratio import proportional_reporting_ratio
from detectors.scoring import score

__all__ = ["validate"]

Group = Mapping[str, Any]


def validate() -> pl.DataFrame:
    """Compute every row of `oracles.json` and compare it with the number printed there.

    Returns
    -------
    polars.DataFrame
        One row a number: `check` (the group and its inputs), `statistic`, `expected`, `got`,
        `difference`, `tolerance` (half a unit of the last printed digit, or as the group's note
        says), `source`, `ok`.

    Examples
    --------
    >>> validate()["ok"].all()
    True
    """
    groups = json.loads(files("detectors").joinpath("oracles.json").read_text(encoding="utf-8"))
    return pl.concat([_compare(name, group) for name, group in groups.items()])


def _counts(inputs: pl.DataFrame, group: Group) -> pl.DataFrame:
    named = inputs.with_row_index("drug").cast({"drug": pl.String})
    return score(named.with_columns(event=pl.lit("event")))


def _ebgm(inputs: pl.DataFrame, group: Group) -> pl.DataFrame:
    n = pl.col("n_observed")
    table = inputs.with_columns(n_drug=n, n_event=n, n_total=n)  # the expectation is given
    return ebgm(table, GammaMixture.model_validate(group["prior"]), expected="expected")


def _maxsprt(inputs: pl.DataFrame, group: Group) -> pl.DataFrame:
    values = [
        maxsprt_critical_value(horizon, int(events)) for horizon, events in inputs.iter_rows()
    ]
    return inputs.with_columns(critical_value=pl.Series(values))


def _e_value(inputs: pl.DataFrame, group: Group) -> pl.DataFrame:
    values = poisson_gamma_e_value(inputs["n"].to_numpy(), inputs["mu"].to_numpy())
    return inputs.with_columns(e_value=pl.Series(values))


def _e_value_excess(inputs: pl.DataFrame, group: Group) -> pl.DataFrame:
    values = poisson_excess_e_value(inputs["n"].to_numpy(), inputs["mu"].to_numpy())
    return inputs.with_columns(e_value=pl.Series(values))


def _false_discovery(inputs: pl.DataFrame, group: Group) -> pl.DataFrame:
    return false_discovery(inputs, p_values="p", n_hypotheses=group["n_hypotheses"])


def _omega(inputs: pl.DataFrame, group: Group) -> pl.DataFrame:
    return omega(inputs)


def _masking(inputs: pl.DataFrame, group: Group) -> pl.DataFrame:
    # The published figures are of the approximation without co-reports, of which there are none.
    return proportional_reporting_ratio(unmasked(inputs))


def _log_likelihood_ratio(inputs: pl.DataFrame, group: Group) -> pl.DataFrame:
    return inputs.with_columns(llr=pl.Series(log_likelihood_ratio(inputs)))


def _kolmogorov_smirnov(inputs: pl.DataFrame, group: Group) -> pl.DataFrame:
    statistic, p = kolmogorov_smirnov(*group["onset_days"])
    return inputs.with_columns(ks=pl.lit(statistic), ks_p=pl.lit(p))


def _mantel_haenszel(inputs: pl.DataFrame, group: Group) -> pl.DataFrame:
    strata = [str(number) for number in range(len(group["strata_abcd"]))]
    a, b, c, d = (list(cells) for cells in zip(*group["strata_abcd"], strict=True))
    frame = pl.DataFrame({"stratum": strata, "a": a, "b": b, "c": c, "d": d})
    drug, event = pl.lit("drug").alias("drug"), pl.lit("event").alias("event")
    cell = {name: pl.col(name) for name in "abcd"}
    pooled = mantel_haenszel(
        pl.DataFrame({"drug": ["drug"], "event": ["event"]}),
        StratifiedCounts(
            frame.select("stratum", drug, event, n=cell["a"]),
            frame.select("stratum", drug, n=cell["a"] + cell["b"]),
            frame.select("stratum", event, n=cell["a"] + cell["c"]),
            frame.select("stratum", n=pl.sum_horizontal("a", "b", "c", "d")),
        ),
    )
    return inputs.hstack(pooled.drop("drug", "event"))


_COMPUTE: Mapping[str, Callable[[pl.DataFrame, Group], pl.DataFrame]] = MappingProxyType(
    {
        "counts": _counts,
        "ebgm": _ebgm,
        "e_value": _e_value,
        "e_value_excess": _e_value_excess,
        "false_discovery": _false_discovery,
        "kolmogorov_smirnov": _kolmogorov_smirnov,
        "log_likelihood_ratio": _log_likelihood_ratio,
        "mantel_haenszel": _mantel_haenszel,
        "masking": _masking,
        "maxsprt": _maxsprt,
        "omega": _omega,
    }
)
"""Functions that compute a group of `oracles.json` from its inputs, by its `computed_by`."""


def _compare(name: str, group: Group) -> pl.DataFrame:
    columns, n_inputs = group["columns"], group["n_inputs"]
    printed = pl.DataFrame(group["rows"], schema=columns, orient="row")
    whole = [column for column in columns[:n_inputs] if column.startswith("n_")]
    inputs = printed.select(columns[:n_inputs]).cast(dict.fromkeys(whole, pl.Int64))
    computed = _COMPUTE[group["computed_by"]](inputs, group)
    said = pl.concat_str([pl.col(column) for column in columns[:n_inputs]], separator=", ")
    check = inputs.select(pl.format("{} ({})", pl.lit(name), said).alias("check"))
    statistics = columns[n_inputs:]
    expected, got = (
        check.hstack(frame.select(pl.col(statistics).cast(pl.Float64))).unpivot(
            index="check", variable_name="statistic", value_name=side
        )
        for frame, side in ((printed, "expected"), (computed, "got"))
    )
    difference = (pl.col("got") - pl.col("expected")).abs()
    tolerance = pl.lit(group["tolerance"], dtype=pl.Float64)
    return expected.join(
        got, on=["check", "statistic"], how="left", maintain_order="left"
    ).with_columns(
        difference.alias("difference"),
        tolerance.alias("tolerance"),
        pl.lit(group["source"]).alias("source"),
        (difference <= tolerance).fill_null(False).alias("ok"),
    )
