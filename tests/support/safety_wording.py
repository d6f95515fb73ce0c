"""The rules that texts of safety alerts keep, as checks of one alert; each names its rule."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from schemas.safety_alert import AlertCategory, SafetyAlert, SafetyAlertKind
from schemas.subscription import Tier
from schemas.vocabulary import VerificationState
from streams.core.cases.chronology import LATE_DAYS
from streams.core.wording.catalogue import Language, catalogue
from streams.core.wording.safety_text import SafetyTexts, safety_texts
from streams.delivery.tiers import is_hidden
from streams.runtime.wire.alerts import decode_alert, encode_alert
from tests.support.alerts import copies_of

__all__ = ["check_public_texts", "check_safety_texts"]

NEVER = (
    "even more", "less than before", "strengthened", "weakened", "strong", "weak", "significant",
    "alarming", "safe", "unsafe", "risk", "causes", "caused by", "due to", "linked to",
    "associated with", "adverse reaction to", "side effect of", "patients harmed by", "outbreak",
    "epidemic",
)  # fmt: skip
_NEVER = re.compile(rf"\b({'|'.join(NEVER)})\b", re.IGNORECASE)
_ENDED = (SafetyAlertKind.CLOSED, SafetyAlertKind.RETRACTION)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_STATE_WORDS = {
    VerificationState.RUMOUR: "alleged",
    VerificationState.REPORTED: "alleged",
    VerificationState.CONTESTED: "contested",
    VerificationState.AUTHORITY_CONFIRMED: "confirmed by an authority",
    VerificationState.HCP_CONFIRMED: "confirmed by a health professional",
    VerificationState.VALID_ICSR: "confirmed by a valid case report",
    VerificationState.REFUTED: "refuted",
    VerificationState.UNRESOLVABLE: "cannot be resolved",
}
_IMPERATIVES = {"Request", "Ask", "Repeat", "Review", "Check", "Inform", "End", "Due"}


def check_safety_texts(alert: SafetyAlert) -> None:
    """Assert every rule of one alert, and of its consumer copy."""
    _lengths(alert)
    _words(alert)
    _states(alert)
    _facts(alert, set(alert.case_ids) | set(alert.fatal_case_ids))
    _law(alert)
    _step(alert)
    _languages(alert)
    _pure(alert)
    _consumer(alert)


def _lengths(alert: SafetyAlert) -> None:
    """W1."""
    assert alert.headline, "W1"
    assert alert.sentence.startswith(f"{alert.headline}."), "W1"
    assert len(alert.headline.split()) <= 30, f"W1: {alert.headline}"
    assert len(alert.sentence.split()) <= 130, "W1"
    for sentence in alert.sentence.split(". "):
        assert len(sentence.split()) <= 45, f"W1: {sentence}"


def _words(alert: SafetyAlert) -> None:
    """W2 and W11."""
    for text in (alert.sentence, alert.reason):
        told = _without_names(text, alert).replace("FATAL_CASE", "")
        assert _NEVER.search(told) is None, f"W2: {text}"
        assert not re.search(r"\d[eE][-+]?\d|\b(None|nan|inf)\b|-0\.00|[\[\]`_{}]", told), (
            f"W11: {text}"
        )


def _states(alert: SafetyAlert) -> None:
    """W18."""
    head, told = str(alert.headline), alert.sentence.lower()
    rumour = alert.category is AlertCategory.UNVERIFIED_FATAL
    if rumour and alert.kind is not SafetyAlertKind.RETRACTION:
        assert alert.verification is not None
        assert _STATE_WORDS[alert.verification] in head, f"W18: {head}"
    if alert.kind is SafetyAlertKind.CLOSED:
        assert any(word in told for word in ("ends here", "ended", "received")), f"W18: {told}"
        for word in ("alleged", "no case report confirms", "overdue"):
            assert word not in told, f"W18: {told}"
    assert (alert.ended_because is not None) is (alert.kind in _ENDED), "W18"


def _facts(alert: SafetyAlert, case_ids: Iterable[str]) -> None:
    """W19: every day and number of the sentence is in a field."""
    told = alert.sentence
    days = {
        alert.first_day,
        alert.last_day,
        alert.ended_on,
        alert.due_since,
        alert.due_since and alert.due_since + timedelta(days=1),
        *(said.on for said in alert.stated),
    }
    for day in _DAY.findall(told):
        assert day in map(str, days), f"W19: {day}: {told}"
    was = alert.was
    counts: set[int | float | None] = {
        alert.n_cases,
        alert.n_verified,
        alert.n_by_professional,
        alert.n_sources,
        len(alert.facilities),
        len(alert.facilities) - 4,  # beside the four that are named
        len(alert.countries),
        *range(1, len(alert.terms)),
        len(alert.stated),
        len(alert.stated) - 1,
        3,  # of the latest statements
        alert.patients and alert.patients.at_least,
        alert.patients and alert.patients.at_most,
        alert.volume_ml,
        alert.limit_ml,
        alert.within_hours,
        LATE_DAYS if "late" in alert.flags else None,
    }
    if was is not None:
        counts |= {was.n_cases, was.n_verified, was.patients_at_least, was.n_facilities}
        counts |= {abs(was.n_cases - alert.n_cases)}
    if alert.rule is not None:
        counts |= {alert.rule.n_cases, alert.rule.within_days}
    numbers = _NUMBER.findall(_DAY.sub("", _without_names(told, alert)))
    for number in numbers:
        assert float(number.replace(",", "")) in counts, f"W19: {number}: {told}"
    if alert.category is AlertCategory.LOT_CLUSTER:
        assert f"lot {alert.subject}:" in told, "W19"
    if alert.category is AlertCategory.FATAL_CASE:
        assert not re.search(r"\b(ROR|PRR|IC|expected)\b|%", told), "W19"
    for case_id in re.findall(r"\bNE-\d\b", told):
        assert case_id in {*case_ids, alert.subject}, f"W19: {case_id}: {told}"


def _law(alert: SafetyAlert) -> None:
    """W21."""
    if not alert.duty:
        return
    *lines, last = alert.duty
    assert last == f"Law table {alert.law_version}; not legal advice.", "W21"
    assert lines, "W21"
    for line in lines:
        assert "not legal advice" not in line, "W21"
        assert re.search(r"Duty to report, [^:]+: (none|not known|.+ must report to .+)\. \S", line)
        assert line.endswith("."), "W21"


def _step(alert: SafetyAlert) -> None:
    """W22."""
    assert alert.next_step, "W22"
    steps = re.split(r"(?<=[.;]) ", alert.next_step)
    for step in steps:
        first = step.split()[0]
        assert first in _IMPERATIVES or step.startswith("end the assessment"), f"W22: {step}"
    assert (f"Due {alert.due}" in alert.next_step) is (alert.due is not None), "W22"
    assert ("(urgent" in alert.next_step) is alert.urgent, "W22"
    overdue = alert.due is not None and alert.due < alert.evaluated_on
    assert ("overdue unless decided)" in alert.next_step) is overdue, "W22"
    if "decision" in alert.next_step:
        assert alert.kind is SafetyAlertKind.WEAKENED, "W22"


def _languages(alert: SafetyAlert) -> None:
    """W23."""
    english, japanese = safety_texts(alert), safety_texts(alert, Language.JAPANESE)
    for name in SafetyTexts.__slots__:
        mine, other = getattr(english, name), getattr(japanese, name)
        assert mine.isascii(), f"W23: {mine}"
        assert _numbers(mine) == _numbers(other), f"W23: {mine} / {other}"
        assert other, "W23"
    words = catalogue(Language.JAPANESE)
    assert words.text("safety.caveat") == japanese.caveat


def _numbers(text: str) -> Counter[str]:
    return Counter(re.findall(r"\d+", text))


def _pure(alert: SafetyAlert) -> None:
    """W24."""
    texts = safety_texts(alert)
    again = decode_alert(encode_alert(alert))
    assert isinstance(again, SafetyAlert)
    assert safety_texts(again) == texts, "W24"
    blank = alert.model_copy(
        update={"headline": None, "sentence": "", "reason": "", "next_step": None, "caveat": ""}
    )
    assert safety_texts(blank) == texts, "W24"
    published = (alert.headline, alert.sentence, alert.reason, alert.next_step, alert.caveat)
    made = (texts.headline, texts.sentence, texts.reason, texts.next_step, texts.caveat)
    assert published == made, "W24"


def _consumer(alert: SafetyAlert) -> None:
    """W20 of the consumer copy, and W19 of what it says."""
    if is_hidden(Tier.CONSUMER, alert):
        return
    (copy,) = copies_of(Tier.CONSUMER, alert)
    told = json.dumps(copy)
    lots = alert.lots if alert.category is not AlertCategory.LOT_CLUSTER else (alert.subject,)
    for name in (*alert.facilities, *alert.case_ids, *alert.fatal_case_ids, *lots):
        assert name not in told, f"W20: {name}: {told}"
    assert "facilit" not in copy["sentence"] + copy["reason"], f"W20: {copy['sentence']}"
    if alert.category is AlertCategory.LOT_CLUSTER:
        assert f"lot {copy['subject']}:" in copy["sentence"], "W20"
    # The sentence follows from the copy's own fields.
    whole = {**copy, "as_of": []}
    texts = safety_texts(SafetyAlert.model_validate_json(json.dumps(whole)))
    assert (texts.headline, texts.sentence) == (copy["headline"], copy["sentence"]), "W19"


def check_public_texts(alerts: Iterable[SafetyAlert]) -> None:
    """Assert W20 of public copies: no number but a band and the year, and no other fact."""
    told: dict[str, str] = {}
    of_signal = {"alert_id", "signal_key", "revision", "sentence", "headline"}
    published = list(alerts)
    names = {
        name
        for alert in published
        for name in (*alert.lots, *alert.facilities, *alert.case_ids, *alert.terms)
    }
    for copy in copies_of(Tier.PUBLIC, *published):
        sentence = copy["sentence"]
        assert sentence == f"{copy['headline']}.", "W20"
        assert len(sentence.split()) <= 24, f"W20: {sentence}"
        allowed = Counter(re.findall(r"\d+", f"{copy['n_patients']} {copy['evaluated_in'][:4]}"))
        assert Counter(re.findall(r"\d+", sentence)) <= allowed, f"W20: {sentence}"
        for name in names:
            assert name not in sentence, f"W20: {name}: {sentence}"
        assert _NEVER.search(sentence) is None, f"W2: {sentence}"
        assert copy["caveat"].endswith("ask a health professional."), "W20"
        fields = {name: value for name, value in copy.items() if name not in of_signal}
        assert told.setdefault(json.dumps(fields, sort_keys=True), sentence) == sentence, "W20"


def _without_names(text: str, alert: SafetyAlert) -> str:
    """Remove what comes from data: terms, lots, facilities, cases, subjects and roles."""
    names = (
        *alert.terms, *alert.lots, *alert.facilities, *alert.case_ids, *alert.fatal_case_ids,
        *alert.part_of, alert.subject, *(said.by for said in alert.stated),
    )  # fmt: skip
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "")
    return text
