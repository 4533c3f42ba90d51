from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.errors import UsageError
from sandbox.run.reproduce import ReproduceReport, plan_fold, reproduce
from sandbox.run.reproduce_models import fit_and_score
from sandbox.run.reproduce_spec import Contender, Protocol, Reproduction
from sandbox.spec.loading import build
from sandbox.spec.source import read_source

FOLDER = Path(__file__).parents[2] / "scenarios" / "fraud-handbook"
DAY = 86400.0
SMALL = {"customers": "900", "terminals": "500", "days": "30"}
RECORD = """\
source: A test
facts: {events: 1, positives: 2, mechanisms: {high amount: 3}}
protocol: {train: 7d, delay: 7d, test: 7d, key: customer_id, top: 10}
splits: {one: {starts: [2018-04-08], train_rows: 4}}
tolerance: {roc_auc: 0.01}
models:
  - name: tree
    tree: {depth: 4}
    published: {one: {roc_auc: 0.5}}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The handbook's scenario with few customers, and a record that it cannot meet."""
    folder = tmp_path / "small"
    folder.mkdir()
    for name in ("world.py", "scenario.yaml", "design.yaml"):
        shutil.copy(FOLDER / name, folder / name)
    text = (folder / "scenario.yaml").read_text()
    for name, value in SMALL.items():
        text = re.sub(rf"^  {name}: \d+$", f"  {name}: {value}", text, flags=re.MULTILINE)
    (folder / "scenario.yaml").write_text(text)
    (folder / "reproduce.yaml").write_text(RECORD)
    return folder


def rewritten(folder: Path, old: str, new: str) -> Path:
    file = folder / "reproduce.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    return folder


def met(folder: Path, report: ReproduceReport) -> Path:
    """Publish what was measured."""
    events, positives, mechanism, train = (fact.measured for fact in report.facts)
    rewritten(folder, "{events: 1, positives: 2,", f"{{events: {events}, positives: {positives},")
    rewritten(folder, "high amount: 3", f"high amount: {mechanism}")
    rewritten(folder, "train_rows: 4", f"train_rows: {train}")
    return rewritten(folder, "roc_auc: 0.5", f"roc_auc: {report.rows[0].measured - 0.008:.4f}")


def test_the_verdict_needs_every_fact_and_every_figure(small: Path) -> None:
    steps: list[str] = []
    report = reproduce(small, steps.append)
    assert steps == ["events", "features", "model 1 of 1: tree"]
    assert [fact.passed for fact in report.facts] == [False] * 4
    (row,) = report.rows
    assert (row.model, row.split, row.metric, row.published) == ("tree", "one", "roc_auc", 0.5)
    assert row.difference == row.measured - 0.5
    assert not row.within
    assert not report.passed
    assert set(report.seconds) == {"data", "features", "models"}

    assert reproduce(met(small, report)).passed
    again = reproduce(rewritten(small, "tolerance: {roc_auc: 0.01}", "tolerance: {roc_auc: 0.005}"))
    assert not again.passed
    assert reproduce(rewritten(small, "    tree:", "    held: false\n    tree:")).passed
    assert not reproduce(rewritten(small, "{events: ", "{events: 9")).passed


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("key: customer_id", "key: amount", "not a key column"),
        ("{one: {roc_auc", "{two: {roc_auc", "unknown split; got 'two', expected one of one"),
        ("starts: [2018-04-08]", "starts: []", "at least one date"),
        ("tolerance: {roc_auc", "tolerance: {pr_auc", "tolerance for roc_auc"),
        ("    tree: {depth: 4}\n", "", "exactly one of xgboost"),
        ("  - name: tree", "  - nam: tree", "Did you mean name?"),
    ],
)
def test_a_wrong_record_is_a_located_error(small: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        reproduce(rewritten(small, old, new))
    assert message in str(caught.value)
    assert "reproduce.yaml" in str(caught.value)


def test_without_a_record_there_is_nothing_to_reproduce(small: Path) -> None:
    (small / "reproduce.yaml").unlink()
    with pytest.raises(UsageError, match="nothing was published"):
        reproduce(small)


def test_only_a_recording_can_be_reproduced(small: Path) -> None:
    (small / "world.py").write_text(
        "from sandbox.world import Spec, World\n"
        "class P(Spec):\n    customers: int\n    terminals: int\n    days: int\n"
        "    begins: object\n    radius: float\n"
        "class Drawn(World):\n    Params = P\n"
        "    def __init__(self, params, rng): pass\n"
        "    def events(self, event_time, knobs, rng): pass\n"
    )
    with pytest.raises(UsageError, match="only a recording"):
        reproduce(small)


ROWS = st.lists(st.tuples(st.floats(0, 9 * DAY - 1), st.integers(0, 3), st.booleans()), max_size=60)
PROTOCOL = Protocol.model_validate(
    {"train": "2d", "delay": "1d", "test": "3d", "key": "k", "top": 1}
)


@settings(deadline=None)
@given(ROWS, st.integers(0, 2))
def test_folds_follow_the_protocol(rows: list[tuple[float, int, bool]], first: int) -> None:
    rows = sorted(rows)
    t, key, label = (np.array([row[i] for row in rows], dtype=np.float64) for i in range(3))
    fold = plan_fold(t, key.astype(np.int64), label, first * DAY, PROTOCOL)
    train = [i for i, x in enumerate(t) if first * DAY <= x < (first + 2) * DAY]
    assert list(range(len(t)))[fold.train] == train
    test = []
    for i, x in enumerate(t):
        day = x // DAY
        known = {
            key[j] for j in range(len(t))
            if label[j] and first * DAY <= t[j] < (day - 1) * DAY
        }  # fmt: skip
        if first + 3 <= day < first + 6 and key[i] not in known:
            test.append(i)
    assert fold.test.tolist() == test


@pytest.mark.parametrize(
    "settings",
    [
        {"tree": {"depth": 3}},
        {"tree": {}, "positive_weight": 20},
        {"tree": {"depth": 3}, "smote": 0.5},
        {"forest": {"trees": 5, "depth": 3}},
        {"logistic_regression": {}},
        {"xgboost": {"trees": 5}, "positive_weight": 3},
    ],
)
def test_every_family_learns_and_repeats_itself(settings: dict[str, object]) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(600, 3)).astype(np.float32)
    label = (features[:, 0] + 0.3 * rng.normal(size=600) > 1.3).astype(np.float64)
    published = {"one": {"roc_auc": 0.5}}
    contender = Contender.model_validate({"name": "x", "published": published, **settings})
    score = fit_and_score(contender, features, label, features)
    assert score[label == 1].mean() > score[label == 0].mean() + 0.2
    assert np.array_equal(score, fit_and_score(contender, features, label, features))


def test_the_handbook_lists_the_trap_beside_what_must_agree() -> None:
    record = build(Reproduction, read_source(FOLDER / "reproduce.yaml"))
    shown = [model.name for model in record.models if not model.held]
    assert len(shown) == 2
    assert all(model.about for model in record.models if not model.held)
    assert record.tolerance.items() == (
        ("roc_auc", 0.01), ("pr_auc", 0.01), ("card_precision", 0.01),
    )  # fmt: skip
