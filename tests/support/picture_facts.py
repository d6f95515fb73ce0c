"""Facts of every kind of picture: usual, empty, single and extreme."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from math import inf

from schemas.vocabulary import VerificationState
from streams.figures.bars import BarRow, BarsFacts, bars
from streams.figures.calendar_days import CalendarFacts, DayCount, calendar_days
from streams.figures.drawing.intervals import IntervalEstimate
from streams.figures.drawing.receipts import ReceivedCases
from streams.figures.evidence import EvidenceFacts, EvidencePoint, evidence
from streams.figures.forest import ForestFacts, ForestRow, RowKind, forest
from streams.figures.heat_map import HeatCell, HeatMapFacts, heat_map
from streams.figures.months import MonthCounts, MonthsFacts, months
from streams.figures.neighbours import CountedEstimate, NeighbourRow, NeighboursFacts, neighbours
from streams.figures.onset_curve import OnsetCase, OnsetCurveFacts, onset_curve
from streams.figures.restricted import RestrictedFacts, RestrictedRow, restricted
from streams.figures.swimlane import CaseLane, SwimlaneFacts, swimlane
from streams.figures.threads import CountedStep, Statement, ThreadLane, ThreadsFacts, threads
from streams.figures.trend import DatedMark, TrendFacts, TrendPoint, TrendRevision, trend
from streams.figures.volcano import SignalMark, VolcanoFacts, volcano

DAY = date(2024, 3, 1)
LONG = "A name longer than any room of a picture <&> \"'\u202e\x00 症例 " * 4
USUAL = IntervalEstimate(1.5, -0.25, 2.75)
NOTHING = IntervalEstimate(None, None, None)
UNBOUNDED = IntervalEstimate(7.25, -inf, inf)
MILLIONS = 3_456_789

_DAYS = [DAY + timedelta(days=9 * place) for place in range(8)]

TREND = TrendFacts(
    drug="zinc",
    event="Rash",
    first_day=DAY,
    last_day=_DAYS[-1],
    points=[
        TrendPoint(day, place, 0.5, IntervalEstimate(place / 2, place / 2 - 3, place / 2 + 2))
        for place, day in enumerate(_DAYS)
    ],
    revisions=[
        TrendRevision(1, _DAYS[3], 3, IntervalEstimate(1.5, -1.5, 3.5)),
        TrendRevision(2, _DAYS[7], 7, IntervalEstimate(3.5, 0.5, 5.5)),
    ],
    received=[ReceivedCases(day, 1) for day in _DAYS[1:]],
    notices=[DatedMark(_DAYS[2], "FDA notice")],
    decisions=[DatedMark(_DAYS[5], "validated")],
    signed_off=_DAYS[6],
)
FOREST = ForestFacts(
    "zinc",
    "Rash",
    [
        ForestRow("All reports", 11, 0.125, USUAL, RowKind.ALL, "all"),
        ForestRow("Adjusted", 11, 0.5, IntervalEstimate(1.2, 0.3, 2.1), RowKind.ADJUSTED, "all"),
        ForestRow("female", 4, 0.0625, IntervalEstimate(2.0, 1.0, 3.0), group="sex"),
        ForestRow("male", 7, 0.0625, NOTHING, group="sex"),
    ],
)
SWIMLANE = SwimlaneFacts(
    "zinc",
    "Rash",
    [
        CaseLane("C1", "adult, male", _DAYS[0], 12, "serious", state=VerificationState.VALID_ICSR),
        CaseLane("C2", "", _DAYS[1], None),
        CaseLane("C3", "infant", _DAYS[7], 2, "fatal", is_grave=True),
        CaseLane("C4", "adult", _DAYS[2], 90, state=VerificationState.HCP_CONFIRMED),
    ],
    signed_off=_DAYS[6],
    window=(1, 14),
)
NEIGHBOURS = NeighboursFacts(
    "zinc",
    "Rash",
    CountedEstimate(11, USUAL),
    [
        NeighbourRow("iron", 6, CountedEstimate(7, USUAL), CountedEstimate(1, NOTHING)),
        NeighbourRow("lead", 1, CountedEstimate(2, UNBOUNDED), CountedEstimate(0, USUAL)),
    ],
)
RESTRICTED = RestrictedFacts(
    "zinc",
    "Rash",
    [
        RestrictedRow("1 Mar", 3, IntervalEstimate(4.75, 1.5, 15.25), None),
        RestrictedRow("9 Mar", 4, IntervalEstimate(6.25, 2.5, inf), IntervalEstimate(3.5, 0.5, 20)),
    ],
)
EVIDENCE = EvidenceFacts(
    "zinc",
    "Rash",
    DAY,
    _DAYS[-1],
    [
        EvidencePoint(_DAYS[1], 0.5),
        EvidencePoint(_DAYS[3], 3.0, 1),
        EvidencePoint(_DAYS[5], None),
        EvidencePoint(_DAYS[7], 9.5, 2),
    ],
    signed_off=_DAYS[6],
)
ONSET = OnsetCurveFacts(
    "lot EX-117",
    [
        OnsetCase(DAY, letter="C", state=VerificationState.HCP_CONFIRMED, is_new=True),
        OnsetCase(_DAYS[1], letter="A"),
        OnsetCase(_DAYS[1], is_onset=False, state=VerificationState.VALID_ICSR),
    ],
)
THREADS = ThreadsFacts(
    "exosome",
    _DAYS[-1],
    [
        ThreadLane(
            "Sepsis",
            "lot EX-117",
            counted=[
                CountedStep(date(2019, 10, 7), 2, VerificationState.VALID_ICSR),
                CountedStep(_DAYS[1], 3, VerificationState.VALID_ICSR),
            ],
            notices=[(date(2019, 12, 6), "FDA notice")],
        ),
        ThreadLane(
            "Death",
            "subject RUM-1",
            statements=[
                Statement(_DAYS[0], VerificationState.RUMOUR),
                Statement(_DAYS[3], VerificationState.CONTESTED, "contested by the clinic"),
            ],
            counted=[CountedStep(_DAYS[0], 0, VerificationState.REPORTED)],
        ),
    ],
)
VOLCANO = VolcanoFacts(
    [
        SignalMark("a", "zinc × Rash", 2.5, 40.0, 30, 20, 1, is_new=True, address="/signals/a"),
        SignalMark("b", "iron × Cough", 0.5, 4.5, 900, 10),
        SignalMark("c", "lead × Fever", 1.0, -0.5, 3),
        SignalMark("d", "gold × Gout", 1.5, None, 4),
        SignalMark("e", "tin × Pain", None, 5.0, 4),
    ]
)
CALENDAR = CalendarFacts(
    date(2024, 1, 1),
    _DAYS[-1],
    [DayCount(_DAYS[0], 3), DayCount(_DAYS[6], 120)],
    signed_off=_DAYS[5],
)
MONTHS = MonthsFacts(
    [
        MonthCounts(date(2023, 12, 1), {"new": 12, "closed": 3}),
        MonthCounts(date(2024, 2, 1), {"new": 4, "strengthened": 1200}),
    ]
)
BARS = BarsFacts("Suppressed changes", [BarRow("few more cases", 12, "12"), BarRow("none", 0, "0")])
HEAT = HeatMapFacts(
    ["Rash", "Cough"],
    ["zinc", "iron"],
    [HeatCell("Rash", "zinc", 2.25, 9, is_new=True), HeatCell("Cough", "iron", None, 4)],
)

Draw = Callable[..., str]
"""A picture of given facts: `name`, `width` and `language` are left to choose."""

USUAL_PICTURES: Mapping[str, Draw] = {
    "trend": partial(trend, TREND),
    "forest": partial(forest, FOREST),
    "swimlane": partial(swimlane, SWIMLANE),
    "neighbours": partial(neighbours, NEIGHBOURS),
    "restricted": partial(restricted, RESTRICTED),
    "evidence": partial(evidence, EVIDENCE),
    "onset": partial(onset_curve, ONSET),
    "threads": partial(threads, THREADS),
    "volcano": partial(volcano, VOLCANO),
    "calendar": partial(calendar_days, CALENDAR),
    "months": partial(months, MONTHS),
    "bars": partial(bars, BARS),
    "heat map": partial(heat_map, HEAT),
}

EMPTY_PICTURES: Mapping[str, Draw] = {
    "trend": partial(trend, TrendFacts("zinc", "Rash", DAY, DAY)),
    "forest": partial(forest, replace(FOREST, rows=())),
    "swimlane": partial(swimlane, replace(SWIMLANE, cases=())),
    "neighbours": partial(neighbours, replace(NEIGHBOURS, rows=())),
    "restricted": partial(restricted, replace(RESTRICTED, rows=())),
    "evidence": partial(evidence, replace(EVIDENCE, points=())),
    "onset": partial(onset_curve, replace(ONSET, cases=())),
    "threads": partial(threads, replace(THREADS, lanes=())),
    "volcano": partial(volcano, VolcanoFacts(())),
    "calendar": partial(calendar_days, replace(CALENDAR, counts=())),
    "months": partial(months, MonthsFacts(())),
    "bars": partial(bars, replace(BARS, rows=())),
    "heat map": partial(heat_map, HeatMapFacts((), (), ())),
}

EXTREME_PICTURES: Mapping[str, Draw] = {
    "trend of one point": partial(
        trend, replace(TREND, first_day=DAY, last_day=DAY, points=TREND.points[:1])
    ),
    "trend of marks that crowd": partial(
        trend,
        replace(
            TREND,
            drug=LONG,
            event=LONG,
            points=[TrendPoint(_DAYS[0], MILLIONS, None, UNBOUNDED)],
            revisions=[TrendRevision(n, day, MILLIONS, UNBOUNDED) for n, day in enumerate(_DAYS)],
            received=[ReceivedCases(day, MILLIONS) for day in _DAYS],
            notices=[DatedMark(day, LONG) for day in _DAYS for _ in range(3)],
            decisions=[DatedMark(day, LONG) for day in _DAYS for _ in range(3)],
        ),
    ),
    "trend of thirty years": partial(
        trend,
        replace(
            TREND,
            first_day=date(1994, 3, 1),
            points=[replace(TREND.points[5], day=date(1994 + year, 5, 9)) for year in range(30)],
        ),
    ),
    "forest": partial(
        forest,
        replace(
            FOREST,
            drug=LONG,
            rows=[
                ForestRow(LONG, MILLIONS, MILLIONS / 7, UNBOUNDED),
                ForestRow("none", 0, 0.0, IntervalEstimate(-11.5, -20, 30)),
            ],
        ),
    ),
    "forest of ratios": partial(
        forest,
        ForestFacts(
            "zinc",
            "Rash",
            [
                ForestRow("a", 3, 0.1, IntervalEstimate(inf, 2.5, inf)),
                ForestRow("b", 3, 0.1, IntervalEstimate(0.0, 0.0, 3.5)),
                ForestRow("c", 3, 0.1, IntervalEstimate(123456.0, 0.001, 2e9)),
            ],
            measure="ROR",
        ),
    ),
    "swimlane": partial(
        swimlane,
        replace(
            SWIMLANE,
            cases=[
                CaseLane(f"{LONG}{n}", LONG, DAY, 31 * n - 40, LONG, is_grave=True)
                for n in range(60)
            ],
        ),
    ),
    "neighbours": partial(
        neighbours,
        replace(
            NEIGHBOURS,
            drug=LONG,
            pair=CountedEstimate(MILLIONS, UNBOUNDED),
            rows=[
                NeighbourRow(
                    LONG, 0, CountedEstimate(MILLIONS, UNBOUNDED), CountedEstimate(0, NOTHING)
                )
            ],
        ),
    ),
    "restricted": partial(
        restricted,
        replace(
            RESTRICTED,
            rows=[RestrictedRow(LONG, MILLIONS, IntervalEstimate(2e5, 0.0, inf), NOTHING)],
        ),
    ),
    "evidence": partial(
        evidence,
        replace(
            EVIDENCE,
            points=[EvidencePoint(day, 900.0 * n, n + 1) for n, day in enumerate(_DAYS)],
        ),
    ),
    "evidence without end": partial(evidence, replace(EVIDENCE, points=[EvidencePoint(DAY, inf)])),
    "onset of thirty years": partial(
        onset_curve,
        OnsetCurveFacts(
            LONG, [OnsetCase(date(1994 + n, 3, 5), letter=LONG) for n in range(30)] * 20
        ),
    ),
    "threads": partial(
        threads,
        replace(
            THREADS,
            lanes=[
                ThreadLane(
                    LONG,
                    LONG,
                    [Statement(day, VerificationState.REFUTED, LONG) for day in _DAYS],
                    [CountedStep(day, MILLIONS) for day in _DAYS],
                    [(day, LONG) for day in _DAYS],
                )
            ],
        ),
    ),
    "volcano of many": partial(
        volcano,
        VolcanoFacts(
            [
                SignalMark(
                    f"k{n}", LONG, (n % 97) / 9 - 4, (n % 89) * 9.0, n * n, n, n % 2, is_new=n < 40
                )
                for n in range(3500)
            ]
        ),
    ),
    "calendar of years": partial(
        calendar_days,
        CalendarFacts(date(2020, 2, 29), DAY, [DayCount(DAY, MILLIONS), DayCount(DAY, 1)]),
    ),
    "months": partial(
        months,
        MonthsFacts(
            [MonthCounts(date(1990 + n, 12, 1), {"retraction": MILLIONS}) for n in range(34)]
        ),
    ),
    "bars": partial(bars, BarsFacts(LONG, [BarRow(LONG, MILLIONS, LONG), BarRow("zero", 0, "0")])),
    "heat map": partial(
        heat_map,
        HeatMapFacts(
            [LONG], [f"{LONG}{n}" for n in range(14)], [HeatCell(LONG, f"{LONG}3", -12.5, 0)]
        ),
    ),
}
