"""Other products of the pair's cases and of the event's: masking, bystanders, interaction."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from detectors.bystanders import ProductGroups, explanations
from detectors.case_frames import CaseFrames
from detectors.interaction import interaction_counts, omega
from detectors.masking import co_reports, masking_screen, unmasked
from detectors.scoring import score
from streams.core.explanation.population import STRATUM_COLUMN, Population
from streams.core.explanation.section import Section

__all__ = ["co_named_products", "product_sections"]

_MOST_MASKERS = 5
_FEWEST_TOGETHER = 3  # cases with both products and the event


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


def product_sections(population: Population, counts: pl.DataFrame) -> Iterator[Section]:
    """Yield the sections on other products.

    Parameters
    ----------
    population
        The cases.
    counts
        Counts of every pair that occurs in it.
    """
    yield _bystanders(population)
    yield _masking(population, counts)
    yield _interaction(population)


def _bystanders(population: Population) -> Section:
    named = co_named_products(population)
    frames, rows = population.frames, []
    groups = ProductGroups.of_frames(
        frames, population.drug, population.event, stratum=STRATUM_COLUMN
    )
    explaining = set(explanations(groups, population.drug)["product"]) if named.height else set()
    n = int(frames.counts(population.pair)["n_observed"].item())
    for product, n_shared in named.head(10).iter_rows():
        without = frames.among(
            frames.cases.join(population.cases_with(drug=product), "case", "anti")
        )
        narrow = score(without.counts(population.pair), ["ic", "ror"]).row(0, named=True)
        reverse = _without(frames, population, product)
        rows.append(
            {
                "product": product,
                "explains": product in explaining,
                "n_shared": n_shared,
                "share": n_shared / n,
                "n_without": narrow["n_observed"],
                "expected_without": narrow["expected"],
                "ic_without": narrow["ic"],
                "ic_without_lower": narrow["ic_lower"],
                "reverse_ic": reverse["ic"],
                "reverse_ic_lower": reverse["ic_lower"],
            }
        )
    return Section(
        "co_named",
        "Products that the pair's cases name as well",
        "Without the cases that name a product: what is left may show which of two explains both.",
        rows,
        remark=f"{named.height:,} other products are named by the {n:,} cases. A product explains "
        "the pair by the rule of `explained_by`: within strata, and by a regression. "
        "reverse_ic is that of the product with the event, without the cases of the drug."
        if named.height
        else "No case of the pair names another product.",
    )


def _without(frames: CaseFrames, population: Population, product: str) -> Mapping[str, Any]:
    """Return the IC of another product with the event, among the cases without the drug."""
    own = population.cases_with(drug=population.drug)
    others = frames.among(frames.cases.join(own, "case", "anti"))
    pair = pl.DataFrame({"drug": [product], "event": [population.event]})
    return score(others.counts(pair), ["ic"]).row(0, named=True)


def _masking(population: Population, counts: pl.DataFrame) -> Section:
    of_event = counts.filter(
        (pl.col("event") == population.event) & (pl.col("drug") != population.drug)
    )
    screened = masking_screen(of_event).sort("masking_ratio", descending=True, nulls_last=True)
    maskers = screened.head(_MOST_MASKERS)["drug"].to_list()
    shared = co_reports(population.frames, population.drug, population.event).filter(
        pl.col("masker").is_in(maskers)
    )
    found = unmasked(shared).sort("masking_ratio", descending=True, nulls_last=True)
    columns = [
        *("masker", "n_masker", "n_masker_event", "n_observed_masker"),
        *("prr", "prr_unmasked", "masking_ratio"),
    ]
    return Section(
        "masking",
        "Masking by products with many reports of the event",
        "PRR with and without all cases of a masker: a ratio far above 1 says that it hid the "
        "pair.",
        found[columns].to_dicts(),
        remark=None if maskers else "No other product is reported with the event.",
    )


def _interaction(population: Population) -> Section:
    # Of the products that enough cases of the pair name; triples of others are not asked.
    named = co_named_products(population).filter(pl.col("n_shared") >= _FEWEST_TOGETHER)
    wanted = [population.drug, *named["product"].to_list()]
    frames = population.frames
    narrow = CaseFrames(
        frames.cases,
        frames.drugs.filter(pl.col("drug").is_in(wanted)),
        frames.events.filter(pl.col("event") == population.event),
    )
    triples = interaction_counts(narrow, at_least=_FEWEST_TOGETHER).filter(
        (pl.col("first_drug") == population.drug) | (pl.col("second_drug") == population.drug)
    )
    found = omega(triples).with_columns(
        pl.when(pl.col("first_drug") == population.drug)
        .then("second_drug")
        .otherwise("first_drug")
        .alias("product")
    )
    columns = ["product", "n_observed", "n_both", "expected_additive"]
    columns += ["omega", "omega_lower", "omega_upper"]
    return Section(
        "interaction",
        "Interaction with another product (Omega)",
        "More cases with both products than the two explain one by one: Omega025 above 0.",
        found.sort("omega_lower", descending=True)[columns].to_dicts(),
        remark=None
        if found.height
        else f"No other product is named by {_FEWEST_TOGETHER} cases of the pair.",
    )
