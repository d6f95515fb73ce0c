"""The pair's measures: crude, within strata, in subgroups, adjusted, and within its indication."""

from collections.abc import Iterator, Sequence

import polars as pl

from detectors.adjusted import adjusted_odds_ratio
from detectors.false_discovery import false_discovery
from detectors.fisher_exact import fisher_exact
from detectors.gamma_mixture import GammaMixture
from detectors.likelihood_ratio import likelihood_ratio
from detectors.mantel_haenszel import mantel_haenszel
from detectors.restricted_comparator import restricted_comparator, within_indication
from detectors.scoring import ALL, score
from detectors.subgroups import subgroup_differences, subgroups
from schemas.counts import MARGINS
from schemas.errors import FitError, InputError
from streams.core.alerts.indications import groups_of_event, groups_of_indications
from streams.core.explanation.population import STRATUM_COLUMN, Population
from streams.core.explanation.section import Section
from streams.core.explanation.strata_forest import within_subgroups

__all__ = ["measure_sections"]

_COVARIATES = ("age_band", "sex", "year")
_MOST_COMEDICATION = 5
_SUBGROUP_COLUMNS = (
    *("factor", "subgroup", *MARGINS, "ror", "ror_lower", "ror_upper", "ic", "ic_lower"),
    *("ror_ratio", "ror_ratio_lower", "ror_ratio_upper"),
)


def measure_sections(
    population: Population,
    counts: pl.DataFrame,
    prior: GammaMixture | None,
    co_named: Sequence[str],
) -> Iterator[Section]:
    """Yield the sections on how far the cases exceed what is expected.

    Parameters
    ----------
    population
        The cases.
    counts
        Counts of every pair that occurs in it.
    prior
        Prior of the EBGM; without one it is left out.
    co_named
        Products of the pair's cases, the most often named first.
    """
    yield _crude(population, counts, prior)
    strata = population.frames.counts_by(STRATUM_COLUMN)
    tables = subgroups(population.pair, strata).with_columns(
        expected=pl.col("n_drug") * pl.col("n_event") / pl.col("n_total")
    )
    held = tables.filter((pl.col("n_observed") > 0) | (pl.col("expected") > 0))
    yield _by_stratum(held)
    yield Section(
        "mantel_haenszel",
        "Mantel-Haenszel, within calendar quarter, age band and sex",
        "One odds ratio for all strata; a small Tarone p says that the strata differ.",
        mantel_haenszel(population.pair, strata).drop("drug", "event").to_dicts(),
    )
    yield _subgroups(population)
    yield _adjusted(population, co_named)
    yield _restricted(population)


def _crude(population: Population, counts: pl.DataFrame, prior: GammaMixture | None) -> Section:
    pair = population.pair
    asked = pair.join(counts, on=["drug", "event"], how="left").with_columns(
        pl.col("n_observed").fill_null(0)
    )
    if asked["n_total"].null_count():  # never reported together
        asked = population.frames.counts(pair)
    methods = [*ALL, *(["ebgm"] if prior is not None else [])]
    scored = score(asked, methods, prior=prior)
    family = counts["drug"].n_unique() * counts["event"].n_unique()
    of_pair = (pl.col("drug") == population.drug) & (pl.col("event") == population.event)
    corrected = false_discovery(fisher_exact(counts), n_hypotheses=family).filter(of_pair)
    tested = likelihood_ratio(counts, drugs=[population.drug]).filter(of_pair)
    extra = [
        *corrected.select("fisher_mid_p_bh", "fisher_mid_p_by").get_columns(),
        *tested.select("llr", "llr_critical", "llr_p").get_columns(),
    ]
    row = scored.drop("drug", "event").row(0, named=True)
    row |= {column.name: column.item() if len(column) else None for column in extra}
    return Section(
        "measures",
        "Counts and measures, without strata",
        "Every reported case against all others: no factor that patients differ in is removed.",
        [{"measure": name, "value": value} for name, value in row.items()],
        remark=f"p-values of Fisher's test are corrected for {family:,} possible pairs; those of "
        "the likelihood ratio for the drug's events.",
        shown=60,
    )


def _by_stratum(held: pl.DataFrame) -> Section:
    with_case = held.filter(pl.col("n_observed") > 0)
    comparators = int((with_case["n_total"] - with_case["n_drug"]).sum())
    columns = ["stratum", *MARGINS, "expected", "ror", "ror_lower", "ror_upper"]
    return Section(
        "strata",
        "By calendar quarter, age band and sex",
        "What the decisions compare with: the cases of the same stratum.",
        held.sort("n_observed", "expected", descending=True)[columns].to_dicts(),
        remark=f"{held.height:,} strata hold both drug and event, or a case of the pair; expected "
        f"in all {held['expected'].sum():.3g}. The {with_case.height:,} with a case of the pair "
        f"hold {comparators:,} comparators.",
    )


def _subgroups(population: Population) -> Section:
    parts = []
    for factor, within in within_subgroups(population):
        strata = population.frames.counts_by(factor)
        differences = subgroup_differences(population.pair, strata)
        parts.append(
            within.join(differences, on=["stratum", "drug", "event"]).with_columns(
                pl.lit(factor).alias("factor"), pl.col("stratum").alias("subgroup")
            )
        )
    title = "Subgroups, and how each differs from the rest"
    says = "ror_ratio compares a subgroup with all others: 1 within its interval is no difference."
    if not parts:
        return Section("subgroups", title, says, [], remark="All cases are of one subgroup.")
    found = pl.concat(parts).filter(pl.col("n_drug") > 0)
    return Section(
        "subgroups",
        title,
        says,
        found[list(_SUBGROUP_COLUMNS)].to_dicts(),
        remark="Of 20 subgroups one is expected to differ by chance. Subgroups without a case of "
        "the drug are left out.",
        shown=40,
    )


def _adjusted(population: Population, co_named: Sequence[str]) -> Section:
    title = "Odds ratio adjusted by logistic regression"
    says = "For age band, sex, year and the products most often named in the pair's cases at once."
    frames, comedication = population.frames, tuple(co_named[:_MOST_COMEDICATION])
    try:
        found = adjusted_odds_ratio(
            frames,
            population.drug,
            population.event,
            covariates=_COVARIATES,
            comedication=comedication,
        )
    except (FitError, InputError) as error:
        return Section("adjusted_odds_ratio", title, says, [], remark=str(error))
    row = {
        "odds_ratio": found.odds_ratio,
        "lower": found.lower,
        "upper": found.upper,
        "method": found.method,
        "converged": found.converged,
        "n_terms": len(found.terms),
    }
    remark = f"Products: {', '.join(comedication) or 'none'}."
    if found.separated:
        remark += " The data are separated, so the fit is Firth's."
    return Section("adjusted_odds_ratio", title, says, [row], remark=remark)


def _restricted(population: Population) -> Section:
    title = "Within the indication"
    says = "Against the cases treated for the same disease; what all its treatments share is lost."
    groups = groups_of_event(population.event)
    stated = population.indications.with_columns(
        pl.col("indication")
        .map_elements(
            lambda text: bool(groups & groups_of_indications(text)), return_dtype=pl.Boolean
        )
        .alias("same")
    )
    own = population.cases_with(drug=population.drug, event=population.event)
    of_pair = stated.join(own, on="case", how="semi")
    terms = sorted(set(of_pair.filter("same")["indication"].to_list()))
    remark = (
        f"{of_pair['case'].n_unique():,} of {own.height:,} cases state an indication, "
        f"{of_pair.filter('same')['case'].n_unique():,} one that the event belongs to."
    )
    if not terms:
        return Section("restricted", title, says, [], remark=remark)
    same = sorted(set(stated.filter("same")["indication"].to_list()))
    narrow = within_indication(population.frames, population.indications, same)
    found = restricted_comparator(
        population.frames.counts(population.pair), narrow.counts(population.pair), terms=same
    )
    columns = [*(f"{name}_restricted" for name in MARGINS), "ror", "ror_lower", "ror_upper"]
    columns += ["ror_restricted", "ror_lower_restricted", "ror_upper_restricted"]
    return Section("restricted", title, says, found[columns].to_dicts(), remark=remark)
