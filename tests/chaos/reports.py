"""The input of a chaos run, from its seed: reports as they reach a regulator, broken ones too.

10% of them are follow-ups that change drugs and events, 2% nullifications, 5% repeats of a message
and 1% cannot be read. One case in ten states a worldwide number, and one in twenty is a second case
of a patient known by one; one follow-up of such a case in five no longer states it. One case in ten
is of a source that publishes releases, of one of two scopes, and has no number; three markers close
releases. Each arrives up to a month after its day, so that follow-ups overtake what they follow.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from zlib import crc32

__all__ = ["DAYS", "FIRST_DAY", "Sent", "parts", "probe", "reports"]

AGES = (None, 0.3, 0.5, 0.9, 6.0, 17.9, 18.0, 41.0, 80.0)  # of patients [years]
SEXES = ("female", "male", "unknown")
FIRST_DAY = date(2023, 1, 1)
DAYS = 365
LATE_DAYS = 30
DRUGS, EVENTS = 120, 200
FOLLOW_UPS, NULLIFICATIONS, REPEATS, BROKEN = 0.10, 0.02, 0.05, 0.01
NUMBERED, DUPLICATES, WITHDRAWN = 0.10, 0.05, 0.2
RELEASED = 10  # one case in so many is of a release
RELEASE_DAYS = 90  # from one release of a scope to the next
CLOSED = ((130, "chaos/0", 1), (220, "chaos/1", 2), (310, "chaos/0", 3))  # on which day: releases

BROKEN_VALUES = (
    b"{",
    b"\xff\xfe",
    b'{"case_id": 7}',
    b'"a string"',
    b"[]",
    b"null",
    b'{"case_id": "BROKEN", "version": 1, "first_received": "2023-02-30"}',
)


@dataclass(frozen=True)
class Sent:
    """A message and its kind: `first`, `follow-up`, `nullification`, `repeat`, `broken` ..."""

    key: bytes | None
    value: bytes
    kind: str
    topic: str = "reports"  # without its prefix
    partition: int | None = None  # that its sender chooses; None: by murmur2 of the key
    to_all: bool = False  # to every partition


def reports(number: int, seed: int) -> list[Sent]:
    """Return so many messages in order of arrival."""
    chance = random.Random(seed)
    placed: list[tuple[float, int, Sent]] = []
    versions: list[int] = []  # of each case so far
    begun: list[int] = []  # on which day
    patients: list[int | None] = []  # of each case, if it states a worldwide number: the first case
    written: list[Sent] = []
    for at in range(number):
        day = at * DAYS / number
        draw = chance.random()
        if draw < BROKEN:
            value = chance.choice(BROKEN_VALUES) + b" " * at  # white space: each is one of a kind
            sent = Sent(b"BROKEN-%d" % at, value, "broken")
        elif draw < BROKEN + REPEATS and written:
            # Not of the first version for ever: a repeat comes soon after.
            again = chance.choice(written[-2_000:])
            sent = Sent(again.key, again.value, "repeat")
        else:
            draw -= BROKEN + REPEATS
            if versions and draw < NULLIFICATIONS + FOLLOW_UPS:
                case = chance.randrange(max(0, len(versions) - 40_000), len(versions))
                versions[case] += 1
                kind = "nullification" if draw < NULLIFICATIONS else "follow-up"
            else:
                case, kind = len(versions), "first"
                versions.append(1)
                begun.append(int(day))
                of_release = case % RELEASED == 0
                patients.append(None if of_release else _patient(chance, case, patients))
            patient = patients[case]
            if kind == "follow-up" and chance.random() < WITHDRAWN:
                patient = None
            days = (begun[case], int(day))
            sent = _report(chance, case, versions[case], days, kind, patient)
            written.append(sent)
        placed.append((day + chance.random() * LATE_DAYS, at, sent))
    placed += [(day, number + at, _marker(*closed)) for at, (day, *closed) in enumerate(CLOSED)]
    return [sent for _, _, sent in sorted(placed, key=lambda one: one[:2])]


def probe(number: int, day: date) -> Sent:
    """Return a report of a case of its own whose day is over all before it."""
    return _message(f"PROBE-{number}", 1, day, day, ["drug 0"], ["event 0"], "first")


def _patient(chance: random.Random, case: int, patients: list[int | None]) -> int | None:
    """Draw the patient of a case: that of a recent case, its own, or unknown."""
    draw = chance.random()
    if draw < DUPLICATES:
        known = [patient for patient in patients[-500:] if patient is not None]
        return chance.choice(known) if known else case
    return case if draw < DUPLICATES + NUMBERED else None


def _report(
    chance: random.Random,
    case: int,
    version: int,
    days: tuple[int, int],
    kind: str,
    patient: int | None,
) -> Sent:
    drugs = {_skewed(chance, DRUGS) for _ in range(chance.choice((1, 1, 2)))}
    # A third of the events belong to a drug of the report: what makes signals.
    events = {
        (drug * 7 + chance.randrange(3)) % EVENTS
        if chance.random() < 0.3
        else _skewed(chance, EVENTS)
        for drug in drugs
        for _ in range(chance.choice((1, 2)))
    }
    first, latest = (FIRST_DAY + timedelta(days=day) for day in days)
    return _message(
        f"CASE-{case:07}",
        version,
        first,
        latest,
        [f"drug {drug}" for drug in sorted(drugs)],
        [f"event {event}" for event in sorted(events)],
        kind,
        None if patient is None else f"JP-CHAOS-{patient + 1}",
    )


def _message(
    case: str,
    version: int,
    first: date,
    latest: date,
    drugs: list[str],
    events: list[str],
    kind: str,
    worldwide_id: str | None = None,
) -> Sent:
    report: dict[str, object] = {
        "case_id": case,
        "version": version,
        "message_id": f"{case}.{version}",
        "source": "chaos",
        "first_received": first.isoformat(),
        "latest_received": latest.isoformat(),
        "patient": _age_and_sex(worldwide_id or case),
        "products": [{"substances": drugs, "role": "suspect"}],
        "reactions": [{"term": event} for event in events],
    }
    number = case.removeprefix("CASE-")
    if number.isdecimal() and int(number) % RELEASED == 0:
        nth = (latest - FIRST_DAY).days // RELEASE_DAYS
        report["release"] = _release(f"chaos/{int(number) // RELEASED % 2}", nth)
    if worldwide_id is not None:
        report["worldwide_id"] = worldwide_id
    if kind == "nullification":
        report["revision"] = {"kind": "nullification", "reason": "sent in error"}
    return Sent(case.encode(), json.dumps(report).encode(), kind)


def _age_and_sex(key: str) -> dict[str, object]:
    """Return age and sex of a patient: the same in all reports, at and beside ends of bands."""
    number = crc32(key.encode())
    age, sex = AGES[number % len(AGES)], SEXES[number // len(AGES) % len(SEXES)]
    return {"sex": sex} if age is None else {"age_years": age, "sex": sex}


def _release(scope: str, nth: int) -> dict[str, str]:
    released_on = FIRST_DAY + timedelta(days=nth * RELEASE_DAYS)
    return {"scope": scope, "released_on": released_on.isoformat()}


def _marker(scope: str, nth: int) -> Sent:
    marker = {"message_type": "release_marker", **_release(scope, nth)}
    return Sent(scope.encode(), json.dumps(marker).encode(), "marker", to_all=True)


def _skewed(chance: random.Random, number: int) -> int:
    """Return a number below `number`, the small ones much more often."""
    return int(number * chance.random() ** 2)


def parts(messages: list[Sent], size: int) -> Iterator[list[Sent]]:
    """Cut messages into bursts."""
    for start in range(0, len(messages), size):
        yield messages[start : start + size]
