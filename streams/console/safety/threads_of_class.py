"""Threads of a product class: its rumours, series and clusters on one axis of days."""

from datetime import date

from schemas.safety_alert import AlertCategory
from schemas.subscription import Tier
from schemas.vocabulary import VerificationState
from streams.console.desk import Desk
from streams.console.safety.known_copies import KnownSignal, day_of, known_signals, subject_of
from streams.console.safety.page_words import PageWords
from streams.console.safety.subject import AskedSubject
from streams.core.wording.catalogue import Language
from streams.delivery.tiers import Copy
from streams.figures.threads import CountedStep, Statement, ThreadLane, ThreadsFacts, threads

__all__ = ["threads_figure"]

_LANES = (
    AlertCategory.LOT_CLUSTER,
    AlertCategory.FACILITY_CLUSTER,
    AlertCategory.UNVERIFIED_FATAL,
    AlertCategory.CASE_SERIES,
)
_MOST_LANES = 8
_WIDTH = 1272  # of the main column at 1,440 px, inside of its card [px]


def threads_figure(desk: Desk, asked: AskedSubject, words: PageWords, language: Language) -> str:
    """Return the threads of the class of a subject; empty if a tier knows none of their days.

    The lane of the subject itself is always there, of the others the first by key.
    """
    if asked.tier is Tier.PUBLIC or asked.product_class is None:
        return ""
    wanted = tuple(f"{category}|" for category in _LANES)
    with desk.service.model() as model:
        found = known_signals(model, asked.tier, asked.day, lambda key: key.startswith(wanted))
    of_class = [one for one in found if one.latest["product_class"] == asked.product_class]
    of_class.sort(key=lambda one: (subject_of(one.key) != asked.name, one.key))
    shown = sorted(of_class[:_MOST_LANES], key=lambda one: _LANES.index(one.category))
    if not shown:
        return ""
    acts = [(notice.received, notice.authority or "") for notice in asked.known.acts]
    facts = ThreadsFacts(
        subject=words.product(asked.product_class),
        last_day=asked.day,
        lanes=[_lane(signal, acts, words) for signal in shown],
    )
    return threads(facts, width=_WIDTH, language=language.value)


def _lane(signal: KnownSignal, acts: list[tuple[date, str]], words: PageWords) -> ThreadLane:
    statements: list[Statement] = []
    steps: list[CountedStep] = []
    for copy in signal.copies:
        if copy["verification"] is not None:
            state = VerificationState(copy["verification"])
            if not statements or statements[-1].state is not state:
                statements.append(Statement(day_of(copy), state, words.state(state)))
        n = _counted(signal.category, copy)
        if not steps or steps[-1].n != n:
            steps.append(CountedStep(day_of(copy), n, VerificationState.VALID_ICSR))
    terms = signal.latest["terms"]
    return ThreadLane(
        label=terms[0] if terms else words.text(f"category_{signal.category.value}"),
        note=words.text(f"lane_{signal.category.value}", name=subject_of(signal.key)),
        statements=statements,
        counted=steps,
        notices=acts if signal.category in _LANES[:2] else [],
    )


def _counted(category: AlertCategory, copy: Copy) -> int:
    if category is AlertCategory.UNVERIFIED_FATAL:
        return int(copy["n_fatal"])
    return int(copy["n_verified"])
