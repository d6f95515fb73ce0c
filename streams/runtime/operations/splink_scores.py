"""Score pairs of cases with Splink on DuckDB: probabilistic record linkage (Fellegi and Sunter).

The m-probabilities (agreement of reports of one patient) come from the policy. The u-probabilities
(agreement of two patients) are estimated from random pairs with a fixed seed. Term-frequency
adjustment gives agreement on rare values more weight.
"""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from streams.core.duplicates.probable import LEVELS, LinkagePolicy, Pair

__all__ = ["score_pairs"]

_SEED = 20240101
_RANDOM_PAIRS = 1_000_000
_MOST_ALIKE = (
    200  # cases with equal content; more of them are a series, and other blocks compare them
)
_LEAST_SCORE = 0.01

# Comparison levels but the last, best first; {0} is the column. Null is a level of its own with
# weight 0: a missing value is no evidence for or against a match.
_WITHIN = "abs({0}_l - {0}_r) <= "
_SAME_SET = "{0}_key_l = {0}_key_r"
_SHARED = "len(list_intersect({0}_l, {0}_r))"
_HALF = f"2 * {_SHARED} >= len(list_distinct(list_concat({{0}}_l, {{0}}_r)))"
_CONDITIONS: dict[str, tuple[str, ...]] = {
    "age": (_WITHIN + "0.1", _WITHIN + "1"),
    "sex": ("{0}_l = {0}_r",),
    "country": ("{0}_l = {0}_r",),
    "weight": (_WITHIN + "0.5", _WITHIN + "5"),
    "onset": (_WITHIN + "0", _WITHIN + "31"),
    "received": (_WITHIN + "7", _WITHIN + "90"),
    "drugs": (_SAME_SET, _HALF, f"{_SHARED} > 0"),
    "events": (_SAME_SET, _HALF, f"{_SHARED} > 0"),
}
_RARITY = {"country": "country", "drugs": "drugs_key", "events": "events_key"}
_BLOCKS = (
    ("content",),
    ("onset", "drugs_key"),
    ("onset", "events_key"),
    ("onset", "age", "sex"),
    ("age", "sex", "drugs_key"),
    ("age", "sex", "events_key"),
    ("age", "weight"),
    ("received", "sex", "country", "drugs_key"),
)


def score_pairs(records: pl.DataFrame, policy: LinkagePolicy) -> list[Pair]:
    """Return the pairs that may be one patient, by id, each with its match probability.

    Only pairs that agree on a blocking rule are compared: a million cases have 500 billion pairs.

    Parameters
    ----------
    records
        Columns of `streams.core.duplicates.probable.RECORDS`, one row a case.
    policy
        Policy with the weights of agreement.

    References
    ----------
    .. [1] Fellegi, Sunter (1969). A theory for record linkage. J Am Stat Assoc 64, 1183-1210.
    .. [2] Linacre, Lindsay, Manassis, Slade, Hepworth, Kennedy, Bond (2022). Splink: free software
       for probabilistic record linkage at scale. Int J Popul Data Sci 7(3).
       doi 10.23889/ijpds.v7i3.1794.
    """
    import duckdb  # imported here: takes half a second, and no other command needs it
    from splink import DuckDBAPI, Linker

    if records.height < 2:
        return []
    logging.getLogger("splink").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        source, scored = Path(folder) / "records.parquet", Path(folder) / "scored.parquet"
        _with_keys(records).write_parquet(source)
        connection.execute("SET threads = 1")  # else a sample differs from run to run
        connection.execute(f"CREATE TABLE cases AS SELECT * FROM '{source}' ORDER BY unique_id")
        prior = policy.expected_share * 2 / (records.height - 1)

        def linker(settings: dict[str, Any]) -> Any:
            return Linker(DuckDBAPI(connection).register("cases"), settings, log_level=None)

        first = linker(_settings(policy, prior))
        first.training.estimate_u_using_random_sampling(
            _RANDOM_PAIRS, seed=_SEED, min_count_per_level=None, num_chunks=1
        )
        pairs = min(records.height * (records.height - 1) // 2, _RANDOM_PAIRS)
        model = _floored(first.misc.save_model_to_json(), 0.5 / pairs)
        found = linker(model).inference.predict(threshold_match_probability=_LEAST_SCORE)
        found.to_parquet(str(scored))
        frame = pl.read_parquet(scored)
    return _pairs(frame)


def _with_keys(records: pl.DataFrame) -> pl.DataFrame:
    """Add each list as one string, and both as `content` unless too many cases share it."""
    content = pl.concat_str("drugs_key", "events_key", separator="\n")
    return records.with_columns(
        pl.col(name).list.sort().list.join("\x1f").alias(f"{name}_key")
        for name in ("drugs", "events")
    ).with_columns(pl.when(pl.len().over(content) <= _MOST_ALIKE).then(content).alias("content"))


def _settings(policy: LinkagePolicy, prior: float) -> dict[str, Any]:
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "unique_id",
        "probability_two_random_records_match": prior,
        "comparisons": [_comparison(name, policy.agreement[name]) for name in LEVELS],
        "blocking_rules_to_generate_predictions": [
            {
                "blocking_rule": " AND ".join(f"l.{name} = r.{name}" for name in names),
                "sql_dialect": "duckdb",
            }
            for names in _BLOCKS
        ],
        "retain_intermediate_calculation_columns": False,
        "retain_matching_columns": True,
    }


def _comparison(name: str, shares: Sequence[float]) -> dict[str, Any]:
    levels: list[dict[str, Any]] = [
        {
            "sql_condition": f"{name}_l IS NULL OR {name}_r IS NULL",
            "label_for_charts": "not stated",
            "is_null_level": True,
        }
    ]
    conditions = [condition.format(name) for condition in _CONDITIONS[name]]
    for place, (condition, share) in enumerate(zip([*conditions, "ELSE"], shares, strict=True)):
        level: dict[str, Any] = {
            "sql_condition": condition,
            "label_for_charts": condition,
            "m_probability": share,
        }
        if place == 0 and name in _RARITY:
            level["tf_adjustment_column"] = _RARITY[name]
            level["tf_adjustment_weight"] = 1.0
        levels.append(level)
    return {"output_column_name": name, "comparison_levels": levels}


def _floored(model: dict[str, Any], least: float) -> dict[str, Any]:
    """Give a level that no random pair was in the share of half a pair; none is impossible."""
    for comparison in model["comparisons"]:
        for level in comparison["comparison_levels"]:
            if not level.get("is_null_level"):
                level["u_probability"] = max(level.get("u_probability") or 0.0, least)
    return model


def _pairs(frame: pl.DataFrame) -> list[Pair]:
    found = []
    for row in frame.iter_rows(named=True):
        # Levels count down to 0, disagreement; -1 is a missing value.
        levels = {name: row[f"gamma_{name}"] for name in LEVELS}
        first, second = sorted((row["unique_id_l"], row["unique_id_r"]))
        found.append(
            Pair(
                first,
                second,
                min(row["match_probability"], 1.0),
                tuple(name for name, level in levels.items() if level > 0),
                tuple(name for name, level in levels.items() if level == 0),
            )
        )
    return sorted(found, key=lambda pair: (pair.first, pair.second))
