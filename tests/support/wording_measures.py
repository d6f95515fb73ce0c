"""Rules W10, W12 and W13: a text prints the measures of its alert, or says why it cannot."""

import re
from collections import Counter
from collections.abc import Iterator

from schemas.alert import Alert

__all__ = ["NUMBER", "number", "numbers_of", "stratified", "w10", "w12", "w13"]

NUMBER = r"(-?\d[\d,]*(?:\.\d+)?)"


def number(text: str) -> float:
    """Return a printed number."""
    return float(text.replace(",", ""))


def stratified(alert: Alert) -> float | None:
    """Return the cases expected within the strata that a text names."""
    statistics = alert.statistics
    if statistics.expected_adjusted is not None:
        return statistics.expected_adjusted
    return statistics.expected_stratified


def w10(alert: Alert) -> Iterator[str]:
    """Printed numbers are the fields, on the same side of every entry and exit."""
    statistics = alert.statistics
    printed: dict[str, list[str]] = {}
    patterns = {
        ("ror", "ror_lower", "ror_upper"): rf"(?<!\w)ROR {NUMBER} \(95% CI {NUMBER} to {NUMBER}",
        ("prr",): rf"PRR {NUMBER};",
        ("chi2_yates",): rf"chi-squared {NUMBER}(?:;|\.)",
        ("ic", "ic_lower"): rf"(?<!stratified )IC {NUMBER} \(IC025 {NUMBER}\)",
        ("ic_adjusted", "ic_lower_adjusted"): rf"stratified IC {NUMBER} \(IC025 {NUMBER}\)",
        ("ebgm", "eb05"): rf"(?<!stratified )EBGM {NUMBER} \(EB05 {NUMBER}, EB95 ",
        ("e_bh_level",): rf"(?<!stratified )sequential-test FDR {NUMBER}(?:;|\.)",
        ("e_value_blocked",): rf"stratified sequential-test e-value {NUMBER}(?:;|\. |\.$)",
        ("e_value_budgeted",): rf"e-value, scaled for new pairs, {NUMBER}(?:;|\. |\.$)",
    }
    evidence = _evidence(alert)
    for names, pattern in patterns.items():
        found = re.search(pattern, evidence)
        if found is not None:
            for name, value in zip(names, found.groups(), strict=True):
                printed.setdefault(name, []).append(value)
    limits: dict[str, set[float]] = {}
    for rule in alert.rules:
        for each in rule.thresholds:
            limits.setdefault(each.statistic, set()).update((each.value, each.exit))
    for name, values in printed.items():
        for value in values:
            field, shown = getattr(statistics, name), number(value)
            if field is None or abs(shown - field) > max(0.006 * abs(field), 0.0051):
                yield f"{name} is {field}, and {value} is printed"
                continue
            for limit in limits.get(name, set()):
                if (shown > limit, shown < limit) != (field > limit, field < limit):
                    yield f"{name} {field} is printed as {value}, across {limit}"
    if statistics.ic is not None and "IC " not in evidence:
        yield "the IC is not printed"
    found = re.search(rf"(?<!than )(?<![\d.,]){NUMBER} expected", evidence)
    expected = statistics.expected
    if found is not None and expected is not None:
        shown, n = number(found.group(1)), alert.counts.n_observed
        if (shown > n, shown < n) != (expected > n, expected < n):
            yield f"expected {expected} is printed as {shown}"


def _evidence(alert: Alert) -> str:
    """Return the text between the headline and the change since the published revision."""
    text = alert.sentence.removeprefix(alert.headline)
    for mark in (" Since ", "Rule met", "Rules met", "All rules", "Still on,", "No longer"):
        text = text.partition(mark)[0]
    return text


def w12(alert: Alert) -> Iterator[str]:
    """A ratio without a value says why."""
    counts, statistics, text = alert.counts, alert.statistics, _evidence(alert)
    if statistics.ror is None:
        if counts.n_drug == counts.n_total:
            wanted = "undefined (every case has the product)"
        elif counts.n_observed == 0:
            wanted = "undefined (no case has the product and the event)"
        elif counts.n_event == counts.n_observed:
            wanted = "unbounded (no case of the event without the product)"
        else:
            wanted = "unbounded (every case with the product has the event)"
        if wanted not in text:
            yield f"the ROR has no value, and the text lacks {wanted!r}"
    elif "ROR " not in text:
        yield "the ROR is not printed"
    bounded = statistics.ror is not None and statistics.ror_lower is not None
    if bounded and (statistics.ror_upper is None) != ("to unbounded)" in text):
        yield "the upper bound of the ROR is said wrongly"


def w13(alert: Alert) -> Iterator[str]:
    """Strata are named where they are used, and the days of a window that is not cumulative."""
    printed = stratified(alert) is not None and alert.statistics.expected is not None
    if printed != ("stratified by" in alert.sentence):
        yield "the strata are named, or not named"
    named = re.search(r"\. In (\w+ (to \w+ )?\d{4}|the \d+ days to [\d-]+), ", alert.sentence)
    if (alert.window.kind.value != "cumulative") != (named is not None):
        yield "the window is named, or not named"


def numbers_of(text: str) -> Counter[str]:
    """Return the numbers of a text, in any language; names of months are their numbers."""
    months = "January February March April May June July August September October November"
    for place, month in enumerate([*months.split(), "December"], 1):
        text = re.sub(rf"\b{month}\b", f" {place} ", text)
    return Counter(re.findall(r"\d+(?:[.,]\d+)*", text))
