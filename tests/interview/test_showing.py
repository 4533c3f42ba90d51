"""What training is told and weighed by: chances for binary, errors for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sandbox.interview.showing import Chances, Errors, showing_for
from sandbox.task import TASKS, get_task

CHANCE: Mapping[str, Any] = {
    "who": "your model", "model": "xgboost", "pr_auc": 0.5, "roc_auc": 0.9,
    "recall_at_capacity": 0.6, "promised": 1.1, "cost": 100.0, "refused": 0.001,
}  # fmt: skip
PRICE: Mapping[str, Any] = {
    "who": "your model", "model": "ridge", "mape": 0.12, "interval_coverage": 0.85, "cost": 400.0,
    "refused": 0.02,
}  # fmt: skip
BEST = {**PRICE, "mape": 0.09, "interval_coverage": 0.92, "cost": 300.0}


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_of_a_binary_task_every_word_stays() -> None:
    showing = showing_for("binary")
    assert isinstance(showing, Chances)
    assert plain(showing.line(CHANCE)) == (
        "your model (xgboost): PR-AUC 0.500, recall among the reviewed 0.600, ROC-AUC 0.900; "
        "scores promise 1.1 times the true rate; blocking refuses 0.1 % of the good ones and "
        "costs 100 USD a day"
    )
    assert len(showing.cells(CHANCE)) == len(showing.header) - 1
    found = {name: got for name, _, got, _ in showing.findings([CHANCE, CHANCE, CHANCE])}
    assert found == {"ranking": 1.0, "calibration": pytest.approx(0.95), "threshold": 1.0}
    better = {**CHANCE, "pr_auc": 0.8}
    assert showing.behind(better, CHANCE) == ""
    assert "PR-AUC 0.500, the reference 0.800" in showing.behind(CHANCE, better)


def test_of_a_regression_it_is_the_error_and_what_intervals_promise() -> None:
    showing = showing_for("regression")
    assert plain(showing.line(PRICE)) == (
        "your model (ridge): mape 0.120 (lower is better); interval coverage 85 %, where 90 % were "
        "promised; the cut-off withholds 2 % of the right estimates and costs 400 USD a day"
    )
    assert len(showing.cells(PRICE)) == len(showing.header) - 1
    found = {name: got for name, _, got, _ in showing.findings([PRICE, PRICE, BEST])}
    assert found == {
        "mape": pytest.approx(0.5), "interval_coverage": pytest.approx(0.75),
        "threshold": pytest.approx(0.75),
    }  # fmt: skip
    assert showing.behind(BEST, PRICE) == ""
    assert plain(showing.behind(PRICE, BEST)) == (
        "in training: mape 0.120, the reference 0.09; interval coverage 85 %, where 90 % were "
        "promised"
    )


def test_of_a_ranking_more_is_better_and_nothing_is_promised() -> None:
    showing = showing_for("ranking")
    low, high = ({**PRICE, "ndcg_at_10": value} for value in (0.3, 0.4))
    assert isinstance(showing, Errors) and showing.promise is None
    assert showing.behind(high, low) == "" and "0.300" in showing.behind(low, high)
    assert [name for name, *_ in showing.findings([low, low, high])] == ["ndcg_at_10", "threshold"]
    assert "the page hides 2 % of the clicks" in plain(showing.line(low))
    assert "hidden" in showing.header and "withheld" not in showing.header


@pytest.mark.parametrize("task", TASKS)
def test_what_a_task_promises_it_can_measure(task: str) -> None:
    promise = get_task(task).promise
    assert promise is None or promise[0] in get_task(task).watched


@pytest.mark.parametrize("off", [0.0, 1.0])
def test_points_of_training_lie_between_none_and_all(off: float) -> None:
    row = {**PRICE, "interval_coverage": off, "mape": 9.0, "cost": 0.0}
    assert all(0 <= got <= 1 for _, _, got, _ in Errors(get_task("regression")).findings(
        [row, row, BEST]))  # fmt: skip
