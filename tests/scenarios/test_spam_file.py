"""A collection of labelled messages, in the two columns that such files come in, runs as it is."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from sandbox.cli.main import main

HAM = (
    "ok see you at home later call me when dinner train tomorrow lunch thanks sorry night going now"
)
SPAM = (
    "free prize winner claim call now urgent cash txt mobile reward guaranteed ringtone stop award"
)
MESSAGES = 7_200
PER_DAY = 300


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """Return a file of messages; a quarter of the words of spam are those of good messages."""
    rng, file = np.random.default_rng(0), tmp_path / "messages.csv"
    with file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["v1", "v2"])
        for _ in range(MESSAGES):
            bad = rng.random() < 0.134
            words = rng.choice((SPAM if bad else HAM).split(), size=rng.integers(4, 14))
            mixed = np.where(rng.random(len(words)) < 0.25, rng.choice(HAM.split()), words)
            rows.writerow(["spam" if bad else "ham", " ".join(mixed)])
    return file


@pytest.mark.slow
def test_a_collection_of_messages_runs(
    collection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ("history=15d", "model.training.window=10d", "model.training.validation=3d")
    arguments = ["--map", "v1=label", "--map", "v2=body", "--positive", "spam",
                 "--pace", f"{PER_DAY}/day"]  # fmt: skip
    arguments += [word for setting in settings for word in ("--set", setting)]
    out = tmp_path / "out"
    code = main(["run", "spam", "--events", str(collection), *arguments, "--json", "-q",
                 "--out", str(out)])  # fmt: skip
    assert code == 0, capsys.readouterr().err
    told = json.loads(capsys.readouterr().out)
    assert told["complete"] and told["days"] == MESSAGES // PER_DAY - 15
    found = {one["name"]: one for one in told["objectives"]}
    assert found["pr_auc"]["measured"] > 0.9  # words alone tell them apart
    assert (out / "report.html").stat().st_size > 10_000
