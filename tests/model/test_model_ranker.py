"""Two stages of a ranking: who is near by clicks, and trees that never see a name."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.errors import UsageError
from sandbox.model import (
    CannotTrain,
    Trained,
    TrainingData,
    TrainingWindow,
    check_model,
    refit,
    train,
)
from sandbox.model.evidence import Evidence, ScoredRows
from sandbox.model.gate import judge
from sandbox.model.ranker import ByPopularity, Ranker, fit_by_popularity, fit_ranker, load_ranker
from sandbox.model.version import ModelVersion, version_from_files
from sandbox.spec.design import Decision, Gate, ModelSpec
from sandbox.spec.model import Retrieval, XGBoost
from sandbox.task import get_task
from sandbox.task.slates import SlateColumns, ndcg_at, top_of_groups

DAY = 86400.0
SLATE = SlateColumns(2, 3, 4)
TREES = XGBoost(trees=30, depth=3)
RETRIEVAL = Retrieval(factors=3, keep=8)
MODEL = ModelSpec.model_validate(
    {
        "champion": {"xgboost": {"trees": 30, "depth": 3}},
        "retrieval": {"factors": 3, "keep": 8},
        "calibration": "none",
    }
)
DECISION = Decision.model_validate({"show": 4})
WINDOW = TrainingWindow(0.0, 14 * DAY, 21 * DAY)


def pages(
    requests: int = 3000, pool: int = 12, seed: int = 0, turned: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return features (noise, quality, request, user, item) and clicks of a world of tastes."""
    world, rng = np.random.default_rng(99), np.random.default_rng(seed)
    users, items = world.normal(size=(60, 3)), world.normal(size=(80, 3))
    users = np.roll(users, 7, axis=0) if turned else users
    user = np.repeat(rng.integers(0, 60, requests), pool)
    item = np.concatenate([rng.permutation(80)[:pool] for _ in range(requests)])
    quality = world.normal(size=80)
    odds = 1.2 * np.einsum("ij,ij->i", users[user], items[item]) + 0.5 * quality[item] - 2.0
    click = (rng.random(len(odds)) < 1 / (1 + np.exp(-odds))).astype(float)
    noise = rng.normal(size=len(odds))
    request = np.repeat(np.arange(requests), pool)
    columns = [noise, quality[item], request, user, item]
    return np.column_stack(columns).astype(np.float32), click


def data(turned: bool = False, seed: int = 0, days: float = 21.0) -> TrainingData:
    features, click = pages(seed=seed, turned=turned)
    n = len(click)
    when = features[:, SLATE.request].astype(float) / 3000 * days * DAY
    return TrainingData(features, click, when, np.full(n, 0.001), np.full(n, 0.01))


def quality(model: Ranker | ByPopularity, seed: int = 5, turned: bool = False) -> float:
    features, click = pages(1500, seed=seed, turned=turned)
    return ndcg_at(click, model.predict(features), features[:, SLATE.request], 5)


@pytest.fixture(scope="module")
def fitted() -> Ranker:
    features, click = pages()
    return fit_ranker(TREES, RETRIEVAL, features, click, SLATE, np.random.default_rng(1))


def test_who_clicked_what_is_worth_more_than_popularity(fitted: Ranker) -> None:
    features, click = pages()
    popular = fit_by_popularity(features, click, SLATE)
    blind = fit_ranker(TREES, None, features, click, SLATE, np.random.default_rng(1))
    assert quality(fitted) > quality(blind) + 0.05 > quality(popular)
    assert quality(fitted, turned=True) < quality(fitted) - 0.1  # and it is about these tastes


def test_the_first_stage_keeps_as_many_as_it_says(fitted: Ranker) -> None:
    features, _ = pages(200, seed=3)
    score, request = fitted.predict(features), features[:, SLATE.request]
    kept = np.bincount(request.astype(int), score > 0)
    assert (kept == RETRIEVAL.keep).all()
    assert fitted.factors is not None
    near = fitted.factors.affinity(features[:, 3].astype(int), features[:, 4].astype(int))
    assert ((score > 0) == top_of_groups(near, request, RETRIEVAL.keep)).all()


def test_trees_see_no_names() -> None:
    features, click = pages(400)
    one = fit_ranker(TREES, None, features, click, SLATE, np.random.default_rng(1))
    renamed = features.copy()
    renamed[:, SLATE.all] = renamed[:, SLATE.all] * 3 + 11
    assert (one.predict(renamed) == one.predict(features)).all()


def test_a_request_scores_the_same_in_whatever_batch_it_comes(fitted: Ranker) -> None:
    features, _ = pages(50, seed=4)
    whole = fitted.predict(features)
    parts = [fitted.predict(part) for part in np.split(features, [12, 12 * 7])]
    assert (np.concatenate(parts) == whole).all()
    assert len(fitted.predict(features[:0])) == 0


def test_popularity_counts_clicks_and_draws_the_unknown_to_the_mean() -> None:
    features = np.zeros((40, 5), np.float32)
    features[20:, SLATE.item] = 7
    click = np.zeros(40)
    click[20:30] = 1
    popular = fit_by_popularity(features, click, SLATE)
    asked = np.zeros((3, 5), np.float32)
    asked[:, SLATE.item] = (0, 7, 9)
    # 20 shown beside a prior of 20 at the mean of a quarter.
    assert popular.predict(asked).tolist() == pytest.approx([5 / 40, 15 / 40, 0.25])


@pytest.mark.parametrize("kind", ["ranker", "blind", "popularity"])
def test_files_give_the_same_model_back(kind: str, fitted: Ranker) -> None:
    features, click = pages(300, seed=2)
    model: Ranker | ByPopularity = fitted
    if kind == "popularity":
        model = fit_by_popularity(features, click, SLATE)
    elif kind == "blind":
        model = fit_ranker(TREES, None, features, click, SLATE, np.random.default_rng(1))
    files = model.files()
    again = load_ranker(model.family, files)
    assert (again.predict(features) == model.predict(features)).all() and again.files() == files
    with pytest.raises(KeyError):
        load_ranker(model.family, {})


def run(turned: bool = False, **changes: object) -> Trained:
    settings: dict[str, object] = {"now": 22 * DAY, "seed": 7, "slate": SLATE} | changes
    names = ("noise", "quality", "request", "user", "item")
    task = get_task("ranking")
    return train(data(turned), MODEL, DECISION, task, WINDOW, names=names, **settings)  # type: ignore[arg-type]


def test_a_version_is_measured_stored_and_refitted() -> None:
    trained = run()
    version, task = trained.version, get_task("ranking")
    assert version.offline["ndcg_at_10"] > version.offline_baseline["ndcg_at_10"]
    assert version.baseline.estimator.family == "popularity"
    assert np.isinf([version.review_above, version.block_above]).all()
    features, _ = pages(100, seed=6)
    again = version_from_files(version.files())
    assert (again.predict(features) == version.predict(features)).all()
    assert (again.predict_baseline(features) == version.predict_baseline(features)).all()
    whole = refit(trained, data(), MODEL, task, seed=7, slate=SLATE)
    assert whole.refitted and whole.rows > version.rows


@pytest.mark.parametrize(("now", "passes"), [("turned", True), ("as before", False)])
def test_the_gate_draws_requests_and_tells_models_apart(now: str, passes: bool) -> None:
    """After tastes have turned a model of the new ones wins; where they have not, it loses."""
    old, new = run().version, run(turned=True, number=2).version
    evidence = _evidence(new, old, turned=now == "turned")
    verdict = judge(
        Gate(not_worse_by=0.02, min_positives=1), get_task("ranking"), evidence, capacity=0,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert verdict.passed == passes
    assert any("clicks" in reason for reason in verdict.reasons)
    figures = verdict.figures
    assert figures["ndcg_at_10.low"] < figures["ndcg_at_10.difference"] < figures["ndcg_at_10.high"]


def _evidence(challenger: ModelVersion, champion: ModelVersion, *, turned: bool) -> Evidence:
    features, click = pages(800, seed=8, turned=turned)
    n = len(click)
    rows = [ScoredRows(m.predict(features), m.predict(features)) for m in (challenger, champion)]
    base = ScoredRows(*(champion.predict_baseline(features),) * 2)
    return Evidence(
        click, np.zeros(n, np.int64), np.full(n, 0.001), np.full(n, 0.01), rows[0], base, rows[1],
        group=features[:, SLATE.request].astype(np.int64),
    )  # fmt: skip


def test_too_few_clicks_are_said() -> None:
    rows = data()
    silent = TrainingData(
        rows.features, np.zeros(len(rows.label)), rows.event_time, rows.cost_missed,
        rows.cost_false_decline,
    )  # fmt: skip
    with pytest.raises(CannotTrain, match=r"0 clicks in .* at least 10 clicks"):
        train(
            silent, MODEL, DECISION, get_task("ranking"), WINDOW, now=0.0, seed=1,
            names=("a", "b", "c", "d", "e"), slate=SLATE,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("task", "changes", "where"),
    [
        ("ranking", {"calibration": "conformal"}, "model.calibration"),
        ("ranking", {"champion": "logistic_regression"}, "model.champion"),
        ("ranking", {"imbalance": "smote"}, "model.imbalance"),
        ("ranking", {"baseline": "ridge"}, "model.baseline"),
        ("binary", {"calibration": "isotonic"}, "model.retrieval"),
    ],
)
def test_parts_that_mean_nothing_are_refused(
    task: str, changes: dict[str, object], where: str
) -> None:
    plain = {"champion": "xgboost", "retrieval": {}, "calibration": "none", **changes}
    with pytest.raises(UsageError) as caught:
        check_model(ModelSpec.model_validate(plain), get_task(task))
    assert caught.value.where == where
