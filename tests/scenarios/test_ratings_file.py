"""A file of ratings, in the four columns that such files come in, runs as the page says."""

from __future__ import annotations

import csv
import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from sandbox.cli.main import main
from sandbox.task.slates import ndcg_at

USERS, ITEMS, DAYS, RATINGS = 300, 200, 60, 25_000
DAY = 86400.0
SHORT = ["--days", "14", "--set", "decision.control=20%"]
"""Enough to see; a larger control group, as 5 % of so few requests say nothing."""


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return ratings by people with tastes that nobody sees; a few of them rate most of it."""
    rng, rows = np.random.default_rng(0), list[tuple[int, int, float, int]]()
    taste, style = rng.normal(size=(USERS, 4)), rng.normal(size=(ITEMS, 4))
    keen, known = rng.pareto(1.3, USERS) + 0.2, (1.0 + np.arange(ITEMS)) ** -0.6
    liked = 3.4 + 0.6 * taste @ style.T + rng.normal(0.0, 0.5, ITEMS)
    while len(rows) < RATINGS:
        user, time = rng.choice(USERS, p=keen / keen.sum()), rng.uniform(0, DAYS * DAY)
        many = min(1 + rng.geometric(1 / 15), ITEMS)
        for item in rng.choice(ITEMS, many, replace=False, p=known / known.sum()):
            stars = np.clip(np.round(2 * rng.normal(liked[user, item], 0.5)) / 2, 0.5, 5.0)
            rows.append((user + 1, item + 1, stars, 1_700_006_400 + int(time)))
            time += rng.exponential(40.0)
    file = tmp_path_factory.mktemp("ratings") / "ratings.csv"
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["userId", "movieId", "rating", "timestamp"])
        writer.writerows(sorted(rows))
    return file


def documented(project: Path) -> list[str]:
    """Return the command of the page, word by word."""
    page = (project / "docs" / "recorded-events.md").read_text()
    (command,) = re.findall(r"^sandbox (run recommendations .*?[^\\])\n", page, re.M | re.S)
    return shlex.split(command.replace("\\\n", " "))


@pytest.mark.slow
def test_a_file_of_ratings_runs(
    ratings: Path, project: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(ratings.parent)
    code = main([*documented(project), *SHORT, "--json", "-q", "--out", "out"])
    assert code == 0, capsys.readouterr().err
    told = json.loads(capsys.readouterr().out)
    assert told["complete"] and told["days"] == 14 and told["events"] > 4_000
    assert not [name for name in told["counts"] if name.startswith("dead_letter")]
    found = {one["name"]: one for one in told["objectives"]}
    columns = pq.read_table(ratings.parent / "out" / "events.parquet").to_pydict()
    log = {name: np.array(column) for name, column in columns.items()}
    check_requests(log)
    assert by_chance(log) == pytest.approx(0.58, abs=0.01)  # both are figures of the page
    assert found["ndcg_at_10"]["measured"] == pytest.approx(0.83, abs=0.04)
    uplift = found["uplift"]
    assert uplift["measured"] > 0 and "A/B test against the baseline" in uplift["evidence"]
    assert told["counts"]["shown.control"] > 300


def check_requests(log: dict[str, Any]) -> None:
    """Hold that requests follow each other, each of one user, one time and no item twice."""
    request = log["request_id"]
    assert (np.diff(request) >= 0).all() and (np.diff(log["candidate_id"]) > 0).all()
    begins = np.flatnonzero(np.diff(request, prepend=-1))
    number = np.cumsum(np.diff(request, prepend=-1) > 0) - 1
    for name in ("user_id", "event_time"):
        np.testing.assert_array_equal(log[name], log[name][begins][number])
    assert (np.diff(log["event_time"][begins]) >= 0).all()
    size = np.bincount(number)
    assert size.max() > 18 and np.isnan(log["item_age"].astype(float)).all()


def by_chance(log: dict[str, Any]) -> float:
    """Return what an order by lot would have reached in the last five days."""
    rng, late = np.random.default_rng(0), log["event_time"] > log["event_time"].max() - 5 * DAY
    label, request = log["label"][late], log["request_id"][late]
    return float(np.mean([ndcg_at(label, rng.random(len(label)), request, 10) for _ in range(20)]))
