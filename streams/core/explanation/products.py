"""Other products of the pair's cases and of the event's: masking, bystanders, interaction."""

from collections.abc import Iterator

import polars as pl

from detectors.bystanders import ProductGroups, explanations
from detectors.case_frames import CaseFrames
from detectors.interaction import interaction_counts, omega
from detectors.masking import co_reports, masking_screen, unmasked
from detectors.scoring import score
from streams.core.explanation.neighbours import (
    co_named_products,
    neighbours_with_and_without,
)
from streams.core.explanation.population import STRATUM_COLUMN, Population
from streams.core.explanation.section import Section

__all__ = ["product_sections"]

_MOST_MASKERS = 5
_FEWEST_TOGETHER = 3  # cases with both products and the event


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
    for row in neighbours_with_and_without(population).iter_rows(named=True):
        product, n_shared = row["product"], row["n_shared"]
        without = frames.among(
            frames.cases.join(population.cases_with(drug=product), "case", "anti")
        )
        narrow = score(without.counts(population.pair), ["ic", "ror"]).row(0, named=True)
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
                "reverse_ic": row["ic_without"],
                "reverse_ic_lower": row["ic_lower_without"],
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
