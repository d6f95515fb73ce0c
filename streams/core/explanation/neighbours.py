"""Other products of the pair's cases with the event, with and without the cases of its drug."""

import polars as pl

from detectors.information_component import information_component
from streams.core.explanation.population import Population

__all__ = ["co_named_products", "neighbours_with_and_without"]

_NUMBERS = ("n_observed", "expected", "ic", "ic_lower", "ic_upper")


def co_named_products(population: Population) -> pl.DataFrame:
    """Return `product` and `n_shared`, the cases of the pair that name it, the most first."""
    own = population.cases_with(drug=population.drug, event=population.event)
    return (
        population.frames.drugs.join(own, on="case", how="semi")
        .filter(pl.col("drug") != population.drug)
        .group_by(pl.col("drug").alias("product"))
        .agg(pl.len().cast(pl.Int64).alias("n_shared"))
        .sort(-pl.col("n_shared"), "product")
    )


def neighbours_with_and_without(population: Population, *, most: int = 10) -> pl.DataFrame:
    """Return each co-named product with the event: in all cases, and without those of the drug.

    Parameters
    ----------
    population
        The cases around the pair.
    most
        Most products, those that the most cases of the pair name.

    Returns
    -------
    polars.DataFrame
        One row a product, the most often named first: `product`, `n_shared` [cases of the pair
        that name it], `n_observed`, `expected` [cases with the event], `ic`, `ic_lower`,
        `ic_upper` [log2 units], and the same with `_without`, among the cases that do not name
        the pair's drug.
    """
    named = co_named_products(population).head(most)
    pairs = named.select(pl.col("product").alias("drug"), pl.lit(population.event).alias("event"))
    frames = population.frames
    others = frames.cases.join(population.cases_with(drug=population.drug), on="case", how="anti")
    everything = information_component(frames.counts(pairs)).select(_NUMBERS)
    without = information_component(frames.among(others).counts(pairs)).select(_NUMBERS)
    return pl.concat(
        [named, everything, without.rename(lambda name: f"{name}_without")], how="horizontal"
    )
