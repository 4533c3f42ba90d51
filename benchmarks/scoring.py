"""Scores a second by batch size: the model as served, beside other ways to call the same trees.

    python benchmarks/scoring.py [--smoke] [--write]

100 trees of depth 6 over 15 inputs, one thread each, because a worker has one core. A worker scores
what it polled: a row alone at low load, hundreds at high load. Peers: scikit-learn's wrapper of the
same booster, the booster on a DMatrix, and scikit-learn's own histogram gradient boosting as large.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from benchmarks.sheet import Row, best_of, machine, publish, table
from sandbox.model.estimators import Trees

Matrix = NDArray[np.float32]
Score = Callable[[Matrix], NDArray[np.float64]]
SIZES = (1, 16, 256, 4096)
TREES, DEPTH, INPUTS = 100, 6, 15


def make_models(rows: int) -> tuple[dict[str, Score], Matrix]:
    """Return ways to score by name, and rows to be scored."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((rows, INPUTS)).astype(np.float32)
    risk = features[:, :3].sum(axis=1) + rng.standard_normal(rows)
    label = (risk > np.quantile(risk, 0.95)).astype(np.int64)
    wrapper = xgb.XGBClassifier(n_estimators=TREES, max_depth=DEPTH, n_jobs=1)
    wrapper.fit(features, label)
    booster = wrapper.get_booster()
    hist = HistGradientBoostingClassifier(
        max_iter=TREES, max_depth=DEPTH, max_leaf_nodes=2**DEPTH, early_stopping=False
    )
    hist.fit(features, label)
    served = Trees(booster)
    ways: dict[str, Score] = {
        "sandbox": served.predict,
        "XGBClassifier.predict_proba": lambda x: wrapper.predict_proba(x)[:, 1],
        "Booster.predict(DMatrix)": lambda x: booster.predict(xgb.DMatrix(x, nthread=1)),
        "HistGradientBoosting.predict_proba": lambda x: hist.predict_proba(x)[:, 1],
    }
    return ways, features


def in_batches(score: Score, rows: Matrix, size: int) -> NDArray[np.float64]:
    return np.concatenate([score(rows[at : at + size]) for at in range(0, len(rows), size)])


def measure(ways: dict[str, Score], features: Matrix, scored: int, repeats: int) -> list[str]:
    """Return a table a batch size.

    Raises
    ------
    ValueError
        If two ways to call the same trees give different scores.
    """
    lines = ["## Scoring"]
    for size in SIZES:
        rows = features[: min(scored * size, len(features))]
        work = {name: partial(in_batches, score, rows, size) for name, score in ways.items()}
        took = best_of(work, repeats)
        for name in ("XGBClassifier.predict_proba", "Booster.predict(DMatrix)"):
            if not np.allclose(took[name][0], took["sandbox"][0], atol=1e-6):
                raise ValueError(f"{name} scores differently in batches of {size}")
        found = [
            Row(name, len(rows), wall, cpu, f"{wall / len(rows) * size * 1e6:,.0f} us a batch")
            for name, (_, wall, cpu) in took.items()
        ]
        lines += ["", f"Batches of {size:,}:", "", *table(found, "sandbox")]
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="few rows: does it work at all")
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    options = parser.parse_args(arguments)
    where = machine()
    with threadpool_limits(1):
        ways, features = make_models(5_000 if options.smoke else 100_000)
        lines = measure(ways, features, 20 if options.smoke else 500, 1 if options.smoke else 3)
    publish("scoring", [*lines, "", where], write=options.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
