"""Rules W1 to W24 that a text of a signal alert keeps, checked from the fields of the alert.

The checks parse the text with expressions of their own; they share no code with the templates.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from schemas.alert import Alert

__all__ = ["NEVER", "RULES", "broken_rules", "numbers_of"]

NEVER = re.compile(
    r"even more|less [a-z]+ than before|strengthened|weakened|\bstrong|\bweak|\bsignifican|alarming"
    r"|\bsafe\b|\bunsafe\b|\brisk|\bcauses\b|caused by|due to|linked to|associated with"
    r"|adverse reaction to|side effect|patients harmed|outbreak|epidemic|\bexplains?\b|account for",
    re.IGNORECASE,
)
_NUMBER = r"(-?\d[\d,]*(?:\.\d+)?)"
_RULES = {
    "mhra": "MHRA",
    "ema": "EMA",
    "ic": "IC025",
    "safe": "sequential test",
    "tocsin": "alarm",
    "screening": "screening",
    "ema2006": "EMA 2006",
    "eb05": "EB05",
    "mhra_eb": "MHRA-EB",
}
_PHRASES = {
    "first": r"new signal of disproportionate reporting|newly flagged",
    "reopened": r"\bagain\b",
    "first_fatal": r"first (\d+ )?fatal case",
    "first_paediatric": r"first case under 18 years",
    "first_designated": r"first case with a designated event",
    "more_cases": r"more cases",
    "ic_rose": r"IC025 higher",
    "rule_off": r"rules? no longer met",
    "rule_dropped": r"rules? no longer asked",
    "further_rule": r"another rule met|more rules met",
    "now_alarm": r"now an alarm",
    "no_longer_alarm": r"no longer an alarm",
    "exposure_ongoing": r"product reportedly still being given",
    "new_lot": r"first case of another lot",
    "new_facility": r"first case from another facility",
    "facts_withdrawn": r"correction: no|correction of facts",
}


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _plain(alert: Alert, text: str) -> str:
    """Return a text without the names of event and product."""
    headline, _, _ = alert.headline.partition(": ")
    event, _, product = headline.partition(" with ")
    for name in (alert.event, event, product, alert.drug):
        text = text.replace(name, "X")
    return text


def _sentences(text: str) -> list[str]:
    return [part for part in re.split(r"\.(?: |$)", text) if part]


def _what(alert: Alert) -> str:
    """Return what happened: the headline behind the names, and further reasons."""
    further = re.search(r"\. Also: (.*?)\.(?= )", alert.sentence)
    return alert.headline.partition(": ")[2] + (f"; {further.group(1)}" if further else "")


def w1(alert: Alert) -> Iterator[str]:
    """Headline and lengths."""
    text, head = alert.sentence, alert.headline
    if not text.startswith(f"{head}. "):
        yield "the sentence does not begin with the headline"
    if alert.event[1:] not in head.partition(" with ")[0] and ":" not in alert.event:
        yield "the headline does not begin with the event"
    if len(_plain(alert, head).split()) > 30:
        yield "the headline has more than 30 words"
    plain = _plain(alert, text)
    if any(len(part.split()) > 45 for part in _sentences(plain)):
        yield "a sentence has more than 45 words"
    if len(plain.split()) > 130:
        yield "the text has more than 130 words"


def w2(alert: Alert) -> Iterator[str]:
    """Words that are never used."""
    for text in (alert.sentence, alert.reason, alert.next_step):
        if found := NEVER.search(_plain(alert, text)):
            yield f"the text has {found.group()!r}"


def w3(alert: Alert) -> Iterator[str]:
    """What is up is up, and what is down is down, as printed too."""
    changes = [
        (name, way, _number(was), _number(now))
        for name, way, was, now in re.findall(
            rf"(cases|IC025|lower bound of the ROR) (up|down) from {_NUMBER} to {_NUMBER}",
            alert.sentence,
        )
    ]
    for name, way, was, now in changes:
        before, after = _sides(alert)[name]
        if (way == "up") != (after > before) or (way == "up") != (now > was) or was == now:
            yield f"{name} {way} from {was} to {now}, and it was {before} and is {after}"
    if "cases unchanged" in alert.sentence:
        before, after = _sides(alert)["cases"]
        if before != after:
            yield "cases are said to be unchanged"


def _sides(alert: Alert) -> dict[str, tuple[Any, Any]]:
    previous = alert.previous
    assert previous is not None
    return {
        "cases": (previous.n_observed, alert.counts.n_observed),
        "IC025": (previous.ic_lower, alert.statistics.ic_lower),
        "lower bound of the ROR": (previous.ror_lower, alert.statistics.ror_lower),
    }


def w4(alert: Alert) -> Iterator[str]:
    """Each change is named; without a previous revision none is."""
    plain = _plain(alert, alert.sentence)
    if alert.previous is None:
        if found := re.search(r"[Ss]ince (rev|it)|\bup from|\bdown from|\bagain\b|another", plain):
            yield f"there is no previous revision, and the text has {found.group()!r}"
        return
    since = plain.partition("Since ")[2].partition(". ")[0]
    for name, (was, now) in _sides(alert).items():
        if was is not None and now is not None and f"{name} " not in since:
            yield f"the change of {name} is not named"


def _sequential(alert: Alert) -> bool:
    return set(alert.rules_fired) == {"safe"}


def w5(alert: Alert) -> Iterator[str]:
    """A signal of disproportionate reporting has a rule on beside the sequential test."""
    if "signal of disproportionate reporting" in alert.sentence and (
        not alert.rules_fired or _sequential(alert)
    ):
        yield "it is said to be a signal of disproportionate reporting"
    opened = {"first", "reopened"} & {reason.value for reason in alert.reasons}
    if ("by the sequential test only" in alert.sentence) != (bool(opened) and _sequential(alert)):
        yield "the sequential test is said, or not said, to be the only rule"


def w6(alert: Alert) -> Iterator[str]:
    """An excess over the expected counts."""
    n, expected = alert.counts.n_observed, alert.statistics.expected
    within = _stratified(alert)
    if expected is None:
        return
    conditions = {
        "No excess remains": within is not None and expected < n <= within and n >= 20,
        "only within the strata": within is not None and within < n <= expected,
        "Neither shows an excess": within is not None and n <= expected and n <= within,
        "There is no excess": within is None and n <= expected,
    }
    for phrase, holds in conditions.items():
        if (phrase in alert.sentence) != holds:
            yield f"{phrase!r} is {'not ' if holds else ''}said"


def _stratified(alert: Alert) -> float | None:
    statistics = alert.statistics
    if statistics.expected_adjusted is not None:
        return statistics.expected_adjusted
    return statistics.expected_stratified


def _clause(alert: Alert) -> str:
    """Return the sentence on the rules."""
    marks = ("Rule met:", "Rules met:", "All rules met:", "Still on,", "No longer ")
    return next((part for part in _sentences(alert.sentence) if part.startswith(marks)), "")


def _named_after(mark: str, clause: str) -> list[str]:
    part = re.search(rf"{mark}: (.*?)(?:; |$)", clause, re.IGNORECASE)
    if part is None:
        return []
    return re.sub(r" \([^()]*\)", "", part.group(1)).split(", ")


def w7(alert: Alert) -> Iterator[str]:
    """Each rule stands in its place and nowhere else."""
    was = set(alert.previous.rules_fired) if alert.previous else set()
    names = {rule.name: _RULES.get(rule.name, rule.title) for rule in alert.rules}
    wanted = {
        r"(?<!no longer )met": [names[r.name] for r in alert.rules if r.fired and not r.held],
        "the exit": [names[r.name] for r in alert.rules if r.held],
        "no longer met": [names[r.name] for r in alert.rules if r.name in was and not r.fired],
        "no longer asked": [_RULES.get(name, name) for name in sorted(was - names.keys())],
    }
    clause = _clause(alert)
    for mark, rules in wanted.items():
        if _named_after(mark, clause) != rules:
            yield f"after {mark!r} stand {_named_after(mark, clause)}, not {rules}"


def w8(alert: Alert) -> Iterator[str]:
    """A rule no longer met has its number in brackets, past its exit as printed too."""
    was = set(alert.previous.rules_fired) if alert.previous else set()
    clause = _clause(alert).partition("o longer met: ")[2]
    for rule in alert.rules:
        if rule.name not in was or rule.fired:
            continue
        name = re.escape(_RULES.get(rule.name, rule.title))
        found = re.search(rf"{name} \(([^()]*)\)", clause)
        if found is None:
            yield f"no number of {rule.name} is in {clause!r}"
            continue
        values = re.findall(rf"{_NUMBER}, exit {_NUMBER}", found.group(1))
        if len(values) != len([each for each in rule.past_exit if each.value is not None]):
            yield f"{rule.name} has {values} for {rule.past_exit}"
        rising = {each.statistic: each.op.startswith(">") for each in rule.thresholds}
        given = [each for each in rule.past_exit if each.value is not None]
        for (value, exit_), each in zip(values, given, strict=False):
            past = _number(value) < _number(exit_) or (
                _number(value) == _number(exit_) and each.value == each.exit
            )
            if not rising[each.statistic]:
                past = _number(value) > _number(exit_)
            if not past:
                yield f"{rule.name}: {value} is not past {exit_}"


def w9(alert: Alert) -> Iterator[str]:
    """No rule is met any longer exactly when none is on."""
    if ("no rule is met any longer" in alert.headline) != (not alert.rules_fired):
        yield "it is said, or not said, that no rule is met"


def w10(alert: Alert) -> Iterator[str]:
    """Printed numbers are the fields, on the same side of every entry and exit."""
    statistics = alert.statistics
    printed: dict[str, list[str]] = {}
    patterns = {
        ("ror", "ror_lower", "ror_upper"): rf"(?<!\w)ROR {_NUMBER} \(95% CI {_NUMBER} to {_NUMBER}",
        ("prr",): rf"PRR {_NUMBER};",
        ("chi2_yates",): rf"chi-squared {_NUMBER}(?:;|\.)",
        ("ic", "ic_lower"): rf"(?<!stratified )IC {_NUMBER} \(IC025 {_NUMBER}\)",
        ("ic_adjusted", "ic_lower_adjusted"): rf"stratified IC {_NUMBER} \(IC025 {_NUMBER}\)",
        ("ebgm", "eb05"): rf"(?<!stratified )EBGM {_NUMBER} \(EB05 {_NUMBER}, EB95 ",
        ("e_bh_level",): rf"(?<!stratified )sequential-test FDR {_NUMBER}(?:;|\.)",
        ("e_value_blocked",): rf"stratified sequential-test e-value {_NUMBER}(?:;|\. |\.$)",
        ("e_value_budgeted",): rf"e-value, scaled for new pairs, {_NUMBER}(?:;|\. |\.$)",
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
            field, shown = getattr(statistics, name), _number(value)
            if field is None or abs(shown - field) > max(0.006 * abs(field), 0.0051):
                yield f"{name} is {field}, and {value} is printed"
                continue
            for limit in limits.get(name, set()):
                if (shown > limit, shown < limit) != (field > limit, field < limit):
                    yield f"{name} {field} is printed as {value}, across {limit}"
    if statistics.ic is not None and "IC " not in evidence:
        yield "the IC is not printed"
    found = re.search(rf"(?<!than )(?<![\d.,]){_NUMBER} expected", evidence)
    expected = statistics.expected
    if found is not None and expected is not None:
        shown, n = _number(found.group(1)), alert.counts.n_observed
        if (shown > n, shown < n) != (expected > n, expected < n):
            yield f"expected {expected} is printed as {shown}"


def _evidence(alert: Alert) -> str:
    """Return the text between the headline and the change since the published revision."""
    text = alert.sentence.removeprefix(alert.headline)
    for mark in (" Since ", "Rule met", "Rules met", "All rules", "Still on,", "No longer"):
        text = text.partition(mark)[0]
    return text


def w11(alert: Alert) -> Iterator[str]:
    """No exponent, code, bracket or value of a machine."""
    step = alert.next_step.removeprefix("None required; ")
    text = _plain(alert, f"{alert.sentence} {step}")
    wrong = r"\d[eE][+-]?\d|\bNone\b|\bnan\b|\binf\b|-0\.0+(?!\d)|[\[\]`]|\b[a-z]+_[a-z_]+\b"
    if found := re.search(wrong, text):
        yield f"the text has {found.group()!r}"


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
    printed = _stratified(alert) is not None and alert.statistics.expected is not None
    if printed != ("stratified by" in alert.sentence):
        yield "the strata are named, or not named"
    named = re.search(r"\. In (\w+ (to \w+ )?\d{4}|the \d+ days to [\d-]+), ", alert.sentence)
    if (alert.window.kind.value != "cumulative") != (named is not None):
        yield "the window is named, or not named"


def w14(alert: Alert) -> Iterator[str]:
    """Each phrase stands for its reason, one to one."""
    reasons, what = {reason.value for reason in alert.reasons}, _plain(alert, _what(alert))
    for reason, phrase in _PHRASES.items():
        if (reason in reasons) != (re.search(phrase, what) is not None):
            yield f"the phrase of {reason} is {'not ' if reason in reasons else ''}in {what!r}"
    if "first_fatal" in reasons and alert.n_fatal < 1:
        yield "the first fatal case is none"


def w15(alert: Alert) -> Iterator[str]:
    """Cases are said to be withdrawn only if they were."""
    reasons, what = {reason.value for reason in alert.reasons}, _what(alert)
    moving = alert.window.kind.value == "sliding"
    if ("withdrawn" in what) != ("cases_retracted" in reasons and not moving):
        yield "cases are said to be withdrawn, or not said"
    found = re.search(rf"{_NUMBER} cases? (?:was |were )?withdrawn", what)
    if found is not None:
        assert alert.previous is not None
        assert alert.n_new is not None
        left = alert.previous.n_observed + alert.n_new - alert.counts.n_observed
        if _number(found.group(1)) != left:
            yield f"{found.group()} of {left}"


def w16(alert: Alert) -> Iterator[str]:
    """Fatal cases are counted."""
    if (f" ({alert.n_fatal:,} fatal)" in alert.sentence) != (alert.n_fatal > 0):
        yield "the fatal cases are not counted"


def w17(alert: Alert) -> Iterator[str]:
    """A burst and an indication have their sentence."""
    if (alert.burst is not None) != ("without them" in alert.sentence):
        yield "the burst has no sentence, or is none"
    if (alert.restricted is not None) != ("condition treated" in alert.sentence):
        yield "the indication has no sentence, or is none"
    if alert.burst is not None and alert.burst.rules_without:
        names = [
            _RULES.get(rule.name, rule.title)
            for rule in alert.rules
            if rule.name in alert.burst.rules_without
        ]
        if f"these rules are met: {', '.join(names)}" not in alert.sentence:
            yield "the rules without the burst are others"
    if alert.restricted is not None:
        verdict = "and a rule is met" if alert.restricted.supported else "and no rule is met"
        if verdict not in alert.sentence:
            yield "the verdict within the indication is another"


def w22(alert: Alert) -> Iterator[str]:
    """Steps are imperatives, and a day that is due is said."""
    begins = (
        "Check ", "Review ", "Inform ", "End ", "Request ", "Ask ", "None required;", "Due ",
    )  # fmt: skip
    for step in _sentences(_plain(alert, alert.next_step)):
        if not step.startswith(begins):
            yield f"the step {step!r} is no imperative"
    if (alert.due is not None) != ("Due " in alert.next_step):
        yield "the day it is due is said, or not said"
    if alert.assessment is None and re.search(r"the decision of", alert.next_step):
        yield "a decision is named where none is known"


def w23(alert: Alert) -> Iterator[str]:
    """Generated English is ASCII but for names."""
    plain = _plain(alert, alert.sentence + alert.next_step)
    if not plain.isascii() and (alert.event + alert.drug).isascii():
        yield "the text is not ASCII"


RULES: tuple[Callable[[Alert], Iterator[str]], ...] = (
    w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15, w16, w17, w22, w23,
)  # fmt: skip


def broken_rules(alert: Alert) -> list[str]:
    """Return what breaks the rules in the texts of an alert."""
    return [f"{rule.__name__}: {why}" for rule in RULES for why in rule(alert)]


def numbers_of(text: str) -> Counter[str]:
    """Return the numbers of a text, in any language; names of months are their numbers."""
    months = "January February March April May June July August September October November"
    for place, month in enumerate([*months.split(), "December"], 1):
        text = re.sub(rf"\b{month}\b", f" {place} ", text)
    return Counter(re.findall(r"\d+(?:[.,]\d+)*", text))
