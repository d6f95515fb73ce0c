"""Cases that links or releases leave out of a recount."""

import polars as pl

from streams.core.cases.link_decisions import LinkDecision

__all__ = ["link_states", "withdrawn_cases"]


def link_states(links: pl.DataFrame) -> pl.DataFrame:
    """Return the link state of cases by each decider's highest decision: `away`, `suspected`."""
    manual = pl.col("state").filter(pl.col("decider") == "manual").first()
    return (
        links.sort(list(LinkDecision.__annotations__))
        .group_by("case_id", "decider")
        .agg(pl.col("state").last())
        .group_by("case_id")
        .agg(
            pl.when(manual.fill_null("suspected") == "suspected")
            .then((pl.col("state") == "applied").any())
            .otherwise(manual == "applied")
            .alias("away"),
            (
                (pl.col("state") == "suspected").any()
                & ~pl.col("state").is_in(["applied"]).any()
                & (manual.fill_null("suspected") == "suspected")
            ).alias("suspected"),
        )
    )


def withdrawn_cases(current: pl.DataFrame, markers: pl.DataFrame) -> pl.DataFrame:
    """Return the cases whose release is older than the newest closed one of its scope."""
    newest = markers.group_by("partition", "scope").agg(pl.col("release").max().alias("closed"))
    of_scope = current.join(newest, on=["partition", "scope"], how="inner")
    return of_scope.filter(pl.col("release") < pl.col("closed")).select("case_id")
