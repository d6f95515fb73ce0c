"""`python -m tests.attacks`: strangers attack `serve` and `deliver` for five minutes."""

import argparse
import tempfile
from pathlib import Path

from tests.attacks.strangers import Attack, attack


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    usual = Attack()
    parser.add_argument("--seconds", type=float, default=usual.seconds)
    parser.add_argument("--subscriptions", type=int, default=usual.subscriptions)
    parser.add_argument("--half-open", type=int, default=usual.half_open)
    parser.add_argument("--rate", type=float, default=usual.alerts_a_second)
    parser.add_argument("--burst", type=int, default=usual.burst)
    asked = parser.parse_args()
    size = Attack(asked.seconds, asked.subscriptions, asked.half_open, asked.rate, asked.burst)
    with tempfile.TemporaryDirectory() as folder:
        result = attack(Path(folder), size)
        for line in result.lines():
            print(line)
        for name in ("deliver", "serve"):
            log = (Path(folder) / f"{name}.log").read_text()
            print(f"log of {name}: {len(log.splitlines())} lines, {log.count('Traceback')} defects")
    if not result.in_order:
        msg = "the authority did not get every alert once, in order"
        raise SystemExit(msg)


if __name__ == "__main__":
    main()
