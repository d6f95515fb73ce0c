"""Seeded reports for the benchmarks: skewed drugs and events, follow-ups, one JSON object a line.

python -m benchmarks.generate --reports 1000000 --days 90 reports.jsonl
"""

import argparse
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np

__all__ = ["reports"]

_COUNTRIES = ("US", "US", "US", "JP", "DE", "FR", "GB", "CA", "IN", "BR")
_FIRST_DAY = date(2024, 1, 1)


def reports(number: int, *, days: int, seed: int = 20240101) -> Iterator[bytes]:
    """Yield reports in order of receipt: two products and three reactions each on average.

    Drugs (5,000) and events (8,000) follow Zipf laws, as in FAERS. One report in ten is a follow-up
    of an earlier case.
    """
    rng = np.random.default_rng(seed)
    drug_share = 1 / np.arange(1, 5_001) ** 1.05
    event_share = 1 / np.arange(1, 8_001) ** 1.0
    done = 0
    while done < number:
        size = min(10_000, number - done)
        drugs = rng.choice(5_000, size=(size, 3), p=drug_share / drug_share.sum())
        events = rng.choice(8_000, size=(size, 6), p=event_share / event_share.sum())
        n_drugs = rng.choice([1, 2, 3], size=size, p=[0.4, 0.3, 0.3])
        n_events = rng.choice([1, 2, 3, 4, 6], size=size, p=[0.2, 0.25, 0.25, 0.2, 0.1])
        ages = rng.integers(0, 95, size=size)
        follow = rng.random(size) < 0.1
        earlier = rng.integers(0, max(done, 1), size=size)
        for i in range(size):
            number_of_case = done + i
            version = 1
            if follow[i] and done:
                number_of_case, version = int(earlier[i]), 2
            received = _FIRST_DAY + timedelta(days=(done + i) * days // number)
            first = received
            if version == 2:
                first = _FIRST_DAY + timedelta(days=number_of_case * days // number)
            roles = ("suspect", "suspect", "concomitant")
            report = {
                "case_id": f"GEN-{number_of_case:09}",
                "version": version,
                "message_id": f"{done + i:012}",
                "source": "generated",
                "sender": "EXAMPLE PHARMA",
                "report_type": "spontaneous",
                "first_received": first.isoformat(),
                "latest_received": received.isoformat(),
                "reporter": {"kind": "physician", "qualification": "physician", "country": "US"},
                "occurrence_country": _COUNTRIES[int(ages[i]) % 10],
                "patient": {"age_years": float(ages[i]), "sex": ("female", "male")[i % 2]},
                "products": [
                    {
                        "verbatim": f"BRAND {drugs[i, k]}",
                        "substances": [f"SUBSTANCE {drugs[i, k]:04}"],
                        "role": roles[k],
                    }
                    for k in range(n_drugs[i])
                ],
                "reactions": [
                    {"term": f"Reaction {events[i, k]:04}", "outcome": "recovered"}
                    for k in range(n_events[i])
                ],
                "seriousness": ["hospitalisation"] if i % 3 == 0 else [],
            }
            yield json.dumps(report, separators=(",", ":")).encode()
        done += size


def main() -> None:
    """Write the reports to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--reports", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=90)
    options = parser.parse_args()
    with options.file.open("wb") as out:
        for line in reports(options.reports, days=options.days):
            out.write(line + b"\n")


if __name__ == "__main__":
    main()
