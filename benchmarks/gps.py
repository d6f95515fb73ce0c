"""GPS run time: fit the prior, then EBGM, EB05 and EB95 of every pair; compared with vigipy.

    python -m benchmarks.gps --pairs 600000 5000000 [--peer-python PATH]

Each side runs in a process of its own, so that its peak memory is its own. The peer is vigipy in
the virtual environment whose interpreter is named; it is given the same counts, its container
already filled, and stopped after `--timeout` seconds. Its GPS fits from one start where ours fits
from twelve, and adds what ours leaves to others: posterior error rates, and the sorting.

The pairs are drawn from a known prior, which the fit should find again: every cell of drugs by
events has its rate ratio from the mixture, its count is Poisson, and cells with a case are listed.
"""

import argparse
import json
import multiprocessing
import resource
import subprocess
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from detectors.ebgm import ebgm
from detectors.gamma_mixture_fit import fit_gamma_mixture

SEED = 20260101
CASES = 20_000_000
DRUGS, EVENTS = 5_000, 20_000
TRUTH = (1.5, 0.3, 2.0, 2.2, 0.08)

PEER = """
import json, resource, sys, time, warnings
import pandas as pd
warnings.simplefilter("ignore")
from vigipy.GPS import gps
from vigipy.utils import DataContainer
data = pd.read_csv(sys.argv[1])
container = DataContainer(data=data, N=int(sys.argv[2]))
start = time.perf_counter()
fit = gps(container, min_events=1)
took = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps([took, peak, [float(value) for value in fit.params["prior_param"]]]))
"""


def generate(pairs: int) -> pl.DataFrame:
    """Return that many pairs with a case, margins lognormal, drug by drug."""
    random = np.random.default_rng(SEED)
    n_drug = random.lognormal(7.0, 2.0, DRUGS).clip(max=2e6).astype(np.int64) + 50
    n_event = random.lognormal(5.5, 2.0, EVENTS).clip(max=2e6).astype(np.int64) + 20
    a1, b1, a2, b2, weight = TRUTH
    drug, event, observed, found = [], [], [], 0
    for at, margin in enumerate(n_drug):
        first = random.random(EVENTS) < weight
        ratio = random.gamma(np.where(first, a1, a2)) / np.where(first, b1, b2)
        n = np.minimum(
            random.poisson(ratio * margin * n_event / CASES), np.minimum(margin, n_event)
        )
        listed = np.flatnonzero(n)
        drug.append(np.full(listed.size, at))
        event.append(listed)
        observed.append(n[listed])
        found += listed.size
        if found >= pairs:
            break
    drugs, events, counts = (np.concatenate(column)[:pairs] for column in (drug, event, observed))
    return pl.DataFrame(
        {
            "drug": pl.Series([f"drug {at:05d}" for at in range(DRUGS)]).gather(drugs),
            "event": pl.Series([f"event {at:05d}" for at in range(EVENTS)]).gather(events),
            "n_observed": counts,
            "n_drug": n_drug[drugs],
            "n_event": n_event[events],
            "n_total": np.full(counts.size, CASES),
        }
    )


def _ours(file: Path, results: Connection) -> None:
    counts = pl.read_ipc(file)
    start = time.perf_counter()
    prior = fit_gamma_mixture(counts, likelihood="truncated_mixture").prior
    fitted = time.perf_counter()
    ebgm(counts, prior)
    scored = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    parameters = [prior.alpha1, prior.beta1, prior.alpha2, prior.beta2, prior.weight]
    results.send((fitted - start, scored - fitted, peak, parameters))


def _row(parameters: list[float]) -> str:
    return " ".join(f"{value:.4f}" for value in parameters)


def _measure(counts: pl.DataFrame, peer: Path | None, timeout: float, table: Table) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "counts.arrow"
        counts.write_ipc(file)
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        worker = multiprocessing.get_context("spawn").Process(target=_ours, args=(file, theirs))
        worker.start()
        theirs.close()
        fit, score, peak, parameters = ours.recv()
        worker.join()
        size = f"{counts.height:,}"
        times = (f"{fit:.1f} s", f"{score:.1f} s", f"{fit + score:.1f} s", f"{peak:.2f} GiB")
        table.add_row(size, "tocsin", *times, _row(parameters))
        if peer is None:
            return
        renamed = counts.select(
            events="n_observed",
            product_aes="n_drug",
            count_across_brands="n_event",
            product_name="drug",
            ae_name="event",
        )
        renamed.write_csv(Path(folder) / "counts.csv")
        command = [str(peer), "-c", PEER, str(Path(folder) / "counts.csv"), str(CASES)]
        try:
            done = subprocess.run(command, timeout=timeout, capture_output=True, check=True)
        except subprocess.TimeoutExpired:
            table.add_row(size, "vigipy", "", "", f"> {timeout:.0f} s", "", "stopped")
        except subprocess.CalledProcessError as error:
            last = error.stderr.decode().strip().splitlines()[-1:]
            table.add_row(size, "vigipy", "", "", "failed", "", " ".join(last))
        else:
            took, memory, found = json.loads(done.stdout)
            table.add_row(size, "vigipy", "", "", f"{took:.1f} s", f"{memory:.2f} GiB", _row(found))


def main() -> None:
    """Print fit time, scoring time and peak memory of each side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, nargs="+", default=[600_000, 5_000_000])
    parser.add_argument("--peer-python", type=Path, help="interpreter that has vigipy")
    parser.add_argument("--timeout", type=float, default=240, help="seconds the peer is given")
    options = parser.parse_args()
    table = Table(title=f"GPS, truncated mixture; the truth is {_row(list(TRUTH))}")
    for heading in ("pairs", "code", "fit", "scores", "both", "peak memory", "prior found"):
        table.add_column(heading, justify="right")
    for pairs in options.pairs:
        _measure(generate(pairs), options.peer_python, options.timeout, table)
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
