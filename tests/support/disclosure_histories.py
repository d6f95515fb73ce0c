"""Random histories for the disclosure attack: reports, corrections and notices by fixed seeds."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from detectors.rules import load_rules
from schemas.notice import (
    Assertion,
    Exposure,
    Notice,
    NoticeKind,
    Patients,
    Usage,
    Verdict,
    VerificationEvent,
)
from schemas.product import Facility, Product
from schemas.report import Reaction, Report, Reporter, Revision
from schemas.vocabulary import (
    Outcome,
    Qualification,
    ReporterKind,
    RevisionKind,
    Seriousness,
    SupplyRoute,
)
from streams.delivery.alert_sources import AnyAlert
from tests.support.policy_histories import with_alarm
from tests.support.replays import replayed
from tests.support.reports import make_report

__all__ = [
    "COUNTRIES",
    "DEALER",
    "FACILITIES",
    "LOTS",
    "MAKERS",
    "ONSET_YEAR",
    "SUBJECTS",
    "CaseFacts",
    "History",
    "publish",
    "random_history",
]

FIRST = date(2024, 1, 1)
ONSET_YEAR = "2022"
"""Every onset is of this year, and no other day is."""
LOTS = ("LOT001", "LOT002", "LOT003")
FACILITIES = ("fac-one-3b1", "fac-two-9c4", "fac-three-1d")
MAKERS = ("Maker Umbriel", "Maker Oberon")
DEALER = "Dealer Titania"
COUNTRIES = ("KR", "BR", "JP", "US", "ZA")
TERMS = ("Sepsis", "Septic shock", "Bacteraemia", "Anaphylactic reaction", "Infection")
WINDOWS = ("cumulative", "sliding:90", "month", "quarter")
SUBJECTS = ("RUM-71", "LC-93")
_CLASS = "msc-supernatant-exosome"


@dataclass(frozen=True)
class CaseFacts:
    """Facts of one case that tiers withhold."""

    case_id: str
    received: date
    onset: date
    terms: tuple[str, ...]
    country: str
    lot: str | None
    facility: str
    maker: str
    dealer: str | None
    fatal: bool
    serious: bool = True
    version: int = 1
    nullified: bool = False
    changed_on: date | None = None

    @property
    def sent_on(self) -> date:
        """Day on which this version is sent."""
        return self.changed_on or self.received

    def report(self) -> Report:
        """Return this version of the case as a report."""
        product = Product(
            product_class=_CLASS,
            substances=("exosome of donor cells",),
            lot=self.lot,
            manufacturer=self.maker,
            distributor=self.dealer,
            facility=Facility(facility_id=self.facility),
            supply_route=SupplyRoute.UNKNOWN,
        )
        fields: dict[str, Any] = {
            "version": self.version,
            "latest_received": self.sent_on,
            "products": (product,),
            "reactions": tuple(
                Reaction(
                    term=term,
                    onset=self.onset,
                    outcome=Outcome.FATAL if self.fatal else Outcome.UNKNOWN,
                )
                for term in self.terms
            ),
            "seriousness": (Seriousness.HOSPITALISATION,) if self.serious else (),
            "occurrence_country": self.country,
            "reporter": Reporter(qualification=Qualification.PHYSICIAN, country=self.country),
        }
        if self.nullified:
            fields["revision"] = Revision(kind=RevisionKind.NULLIFICATION, reason="sent in error")
        return make_report(self.case_id, day=self.received, **fields)


@dataclass(frozen=True)
class History:
    """Versions of cases in the order of receipt, notices, and the window that is evaluated."""

    seed: int
    versions: tuple[CaseFacts, ...]
    notices: tuple[Notice, ...]
    window: str

    def mapped(self, **of_field: dict[Any, Any]) -> "History":
        """Return the history with the values of fields of its cases replaced."""
        versions = tuple(
            replace(
                one,
                **{
                    name: values.get(getattr(one, name), getattr(one, name))
                    for name, values in of_field.items()
                },
            )
            for one in self.versions
        )
        return replace(self, versions=versions)


def random_history(seed: int) -> History:
    """Return the history of a seed: 8 to 24 cases, of which some are corrected or withdrawn."""
    rng = random.Random(seed)
    versions: list[CaseFacts] = []
    day = FIRST
    for number in range(rng.randint(8, 24)):
        day += timedelta(days=rng.choice((1, 1, 2, 5, 11)))
        case = CaseFacts(
            case_id=f"ZE-{number}",
            received=day,
            onset=date(int(ONSET_YEAR), 3, 1) + timedelta(days=rng.randint(0, 25)),
            terms=tuple(sorted(rng.sample(TERMS, rng.choice((1, 1, 2))))),
            country=rng.choice(COUNTRIES),
            lot=rng.choice((*LOTS, None)),
            facility=rng.choice(FACILITIES),
            maker=rng.choice(MAKERS),
            dealer=rng.choice((DEALER, None)),
            fatal=rng.random() < 0.2,
            serious=rng.random() < 0.85,
        )
        versions.append(case)
        if rng.random() < 0.3:
            versions.append(_corrected(case, rng))
    # A version is never received before the one that it corrects.
    versions.sort(key=lambda one: (one.sent_on, one.version))
    notices = tuple(_notice(number, rng) for number in range(rng.randint(0, 6)))
    return History(seed, tuple(versions), notices, WINDOWS[seed % len(WINDOWS)])


def _corrected(case: CaseFacts, rng: random.Random) -> CaseFacts:
    changes: dict[str, Any] = rng.choice(
        (
            {"nullified": True},
            {"fatal": not case.fatal},
            {"lot": rng.choice(LOTS)},
            {"terms": (rng.choice(TERMS),)},
            {"country": rng.choice(COUNTRIES)},
            {"serious": not case.serious},
        )
    )
    later = case.received + timedelta(days=rng.randint(1, 30))
    return replace(case, **changes, version=2, changed_on=later)


def _notice(number: int, rng: random.Random) -> Notice:
    kind = rng.choice(
        (
            NoticeKind.SAFETY_NOTICE,
            NoticeKind.AGGREGATE,
            NoticeKind.VERIFICATION,
            NoticeKind.AMENDMENT,
            NoticeKind.USAGE,
        )
    )
    received = FIRST + timedelta(days=rng.randint(0, 60))
    fields: dict[str, Any] = {}
    if kind is NoticeKind.SAFETY_NOTICE:
        fields = {"fatal": True, "terms": (rng.choice(TERMS),)}
        fields["followup_due"] = received + timedelta(days=rng.randint(3, 20))
    elif kind is NoticeKind.AGGREGATE:
        least = rng.randint(1, 6)
        fields = {"terms": (rng.choice(TERMS),), "patients": Patients(at_least=least)}
    elif kind is NoticeKind.VERIFICATION:
        said = rng.choice((*Assertion, *Verdict))
        fields["verification"] = VerificationEvent(
            by="ministry",
            assertion=said if isinstance(said, Assertion) else None,
            verdict=said if isinstance(said, Verdict) else None,
            evidence="records",
        )
    elif kind is NoticeKind.AMENDMENT:
        fields["exposure"] = Exposure(ongoing=rng.random() < 0.7)
    else:
        usage = Usage(
            person="person-P3", volume_ml=float(rng.randint(60, 900)), route="intravenous"
        )
        fields["usage"] = (usage,)
    return Notice(
        notice_id=f"N-{number}",
        subject_id=rng.choice(SUBJECTS),
        kind=kind,
        received=received,
        source="press",
        reporter=ReporterKind.MEDIA,
        country=rng.choice(COUNTRIES),
        product_class=_CLASS,
        **fields,
    )


def publish(history: History) -> list[AnyAlert]:
    """Return every alert of a history, as the detector publishes it."""
    others = [
        make_report(f"B-{n}", day=FIRST, drugs=(f"drug {n % 4}",), events=(f"event {n % 5}",))
        for n in range(40)
    ]
    reports: Sequence[Report] = [*others, *(one.report() for one in history.versions)]
    rules = with_alarm(load_rules(["mhra", "ema"]), {"ema"})
    return replayed(reports, rules=rules, window=history.window, notices=history.notices).published
