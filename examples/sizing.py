"""Sizes of an installation by arithmetic: python sizing.py [--report-bytes N] ...

Every number follows from the inputs, each of them an option; `docs/operate/size.md` shows the
table.
"""

import argparse
from dataclasses import dataclass, fields

YEAR_SECONDS = 365 * 86_400


@dataclass(frozen=True)
class Inputs:
    """What is put in; each default says where it comes from."""

    report_bytes: int = 672  # benchmarks.generate; FAERS as native JSON has about 900
    versions_a_case: float = 1.4  # messages a case: follow-ups, repeats
    delta_bytes: int = 35  # of a changed case in a delta; measured 26, generated ids pack well
    state_bytes: int = 180  # of a case in a database or in pv.cases, before compression
    alerts_a_report: float = 0.02  # revisions; live data, not the null data of the benchmarks
    alert_bytes: int = 3_000
    markers: int = 4  # of a transaction: offsets, deltas, cases, rejects
    marker_bytes: int = 78
    copies: int = 3  # replication factor
    worker_rate: int = 20_000  # reports/s of a case worker with a core of its own
    detector_rate: int = 40_000  # cases/s a detector counts, with looks
    case_memory: int = 96  # of a case in the detector's log; benchmarks.growth at 5 million cases
    index_memory: int = 36  # of a case in its index by pair, at 3.5 pairs a case; measured likewise
    pair_memory: int = 16  # of a pair in one window: a key and a count of 8 bytes
    scored_memory: int = 200  # of a pair while all of them are scored
    windows: float = 3.0  # cumulative, and two that hold most pairs of it
    drugs_a_case: float = 1.7  # so many shards by drug hold a case
    detector_memory: int = 48_000_000_000  # of a machine with 64 GB, for the case log and the pairs
    peak: float = 10.0  # busiest minute over mean


COLUMNS = (1_000_000, 20_000_000, 100_000_000, 1_000_000_000)
HELD_YEARS = 5
PAIRS, OF_CASES = 8e6, 20e6  # about what FAERS has


def pairs(cases: float) -> float:
    """Guess distinct pairs: `PAIRS` at `OF_CASES`, growing as the square root."""
    return PAIRS * (cases / OF_CASES) ** 0.5


def sizes(reports: float, given: Inputs) -> dict[str, str]:
    """Return what a year of so many reports needs, and what five years of them add up to."""
    cases = reports / given.versions_a_case
    held = cases * HELD_YEARS
    peak = reports / YEAR_SECONDS * given.peak
    topic = reports * given.report_bytes
    deltas = reports * given.delta_bytes * 1.3  # a follow-up is two rows
    state = held * given.state_bytes
    alerts = reports * given.alerts_a_report * given.alert_bytes
    markers = reports * given.markers * given.marker_bytes
    log = held * (given.case_memory + given.index_memory)
    memory = pairs(held) * (given.pair_memory * given.windows + given.scored_memory)
    copied = (topic + deltas + alerts + markers) * given.copies
    network = peak * given.report_bytes * (given.copies + 2)  # in, to the copies, to a worker
    fits = log + memory <= given.detector_memory
    shards = 1 if fits else -(-(log * given.drugs_a_case + memory) // given.detector_memory)
    return {
        "reports/s, mean": f"{reports / YEAR_SECONDS:,.1f}",
        "reports/s, busiest minute": f"{peak:,.0f}",
        "case workers for that minute": f"{-(-peak // given.worker_rate):,.0f}",
        "detector busy in that minute": f"{peak / given.detector_rate:.1%}",
        "hours to count a year again": f"{reports / given.worker_rate / 3600:,.1f}",
        "pv.reports, GB a year, one copy": f"{topic / 1e9:,.1f}",
        "pv.deltas, GB a year, one copy": f"{deltas / 1e9:,.1f}",
        "pv.alerts, GB a year, one copy": f"{alerts / 1e9:,.1f}",
        "markers, GB a year, if every batch is one report": f"{markers / 1e9:,.1f}",
        "broker disk, GB a year, all copies": f"{copied / 1e9:,.0f}",
        "broker network in that minute, MB/s": f"{network / 1e6:,.2f}",
        f"cases after {HELD_YEARS} years, million": f"{held / 1e6:,.1f}",
        "case databases then, GB": f"{state / 1e9:,.1f}",
        "pv.cases then, GB at most, one copy": f"{2 * state / 1e9:,.1f}",
        "detector: case log then, GB": f"{log / 1e9:,.1f}",
        "detector: pairs then, GB": f"{memory / 1e9:,.1f}",
        "detectors that hold it (shards by drug)": f"{shards:,.0f}",
    }


def table(given: Inputs) -> str:
    """Return a Markdown table, a column a number of reports a year."""
    columns = [sizes(reports, given) for reports in COLUMNS]
    lines = [
        "| reports a year | " + " | ".join(f"{one / 1e6:,.0f} million" for one in COLUMNS) + " |"
    ]
    lines.append("|---" * (len(COLUMNS) + 1) + "|")
    lines += [
        f"| {name} | " + " | ".join(column[name] for column in columns) + " |"
        for name in columns[0]
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the inputs and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for field in fields(Inputs):
        name = "--" + field.name.replace("_", "-")
        parser.add_argument(name, type=type(field.default), default=field.default)
    given = Inputs(**vars(parser.parse_args()))
    for field in fields(Inputs):
        print(f"{field.name}: {getattr(given, field.name):,}")
    print(table(given))


if __name__ == "__main__":
    main()
