from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.errors import UsageError
from sandbox.run.setup import DAY, Prepared, prepare

Ready = Callable[..., Prepared]


def test_the_default_is_what_the_scenario_says(roots: tuple[Path, ...]) -> None:
    prepared = prepare(
        "parcels", design=None, seed=3, days=None, overrides=(), incidents=None, roots=roots
    )
    assert prepared.days == 40 and prepared.seed == 3
    assert prepared.folder == roots[0] / "parcels" and prepared.design_name == "reference"
    assert list(prepared.incidents) == ["no-train"]
    assert prepared.design_text == (prepared.folder / "design.yaml").read_text()
    assert prepared.plan.names == prepared.design.feature_names
    assert prepared.world_class.__name__ == "Parcels" and prepared.task.name == "binary"


def test_settings_change_design_and_scenario(ready: Ready) -> None:
    prepared = ready("decision.explore=5%", "load.mean=9/s", days=3)
    assert prepared.design.decision.explore == 0.05 and prepared.scenario.load.mean == 9.0
    assert prepared.days == 3
    assert "explore: 5%" in prepared.design_text and "mean: 9/s" not in prepared.design_text


def test_the_design_with_settings_can_be_run_again(ready: Ready, tmp_path: Path) -> None:
    prepared = ready("decision.explore=5%")
    (tmp_path / "again.yaml").write_text(prepared.design_text)
    again = ready(design=tmp_path / "again.yaml")
    assert again.design == prepared.design


def test_another_design_has_its_own_name(ready: Ready, tmp_path: Path, roots: object) -> None:
    text = ready().design_text.replace("title: reference\n", "")
    (tmp_path / "mine.yaml").write_text(text)
    assert ready(design=tmp_path / "mine.yaml").design_name == "mine"


@pytest.mark.parametrize(
    ("asked", "day"),
    [
        ("blank-weights", 12.0),
        ("blank-weights@3", 3.0),
        ("blank-weights@3.5d", 3.5),
        ("blank-weights@36h", 1.5),
        ("blank-weights@0", 0.0),
    ],
)
def test_incidents_can_be_chosen_and_moved(ready: Ready, asked: str, day: float) -> None:
    prepared = ready(incidents=[asked])
    (incident,) = prepared.incidents.values()
    assert incident.start == day * DAY and incident.end == (day + 2) * DAY
    assert prepared.scenario.incidents["blank-weights"].start == 12 * DAY
    assert incident.kind == "nulls fault"


def test_no_incidents_at_all(ready: Ready) -> None:
    assert dict(ready(incidents=()).incidents) == {}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("no-trian", r"--incident: unknown incident; got 'no-trian', expected one of no-train, "),
        ("no-train@", None),
        ("no-train@soon", r"--incident: not a day; got 'soon', expected NAME@DAY"),
        ("no-train@-3", r"not a day; got '-3'"),
        ("no-train@3%", r"not a day; got '3%'"),
        ("no-train@1.2.3", r"not a day; got '1\.2\.3'"),
    ],
)
def test_incidents_that_are_none(ready: Ready, asked: str, message: str | None) -> None:
    if message is None:
        assert ready(incidents=[asked]).incidents["no-train"].start == 10 * DAY
        return
    with pytest.raises(UsageError, match=message):
        ready(incidents=[asked])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("decision.explor=1%", r"--set decision\.explor: unknown key"),
        ("features[0]=wieght_kg", r"--set features\[0\]: .*wieght_kg.*Did you mean weight_kg\?"),
        ("ingest.key=weight_kg", r"--set ingest\.key: .*weight_kg"),
        ("load.mean=often", r"--set load\.mean: "),
        ("objectives.speed={at_least: 1}", r"scenario\.yaml objectives: unknown objective"),
        ("objectives.pr_auc={at_least: 3d}", r"objectives\.pr_auc: a bound of another kind"),
        (
            "retraining.rollback={on: [recall_at_capacity]}",
            r"rollback\.on\[0\]\): nobody can see this within days",
        ),
        (
            "monitoring.alerts=[performance: {of: rocc_auc}]",
            r"unknown metric.*Did you mean roc_auc",
        ),
        ("task=binry", r"unknown task.*Did you mean binary\?"),
        ("timeline=[storm]", r"unknown incident"),
        ("model.training.window=90d", r"would need more past than there is"),
    ],
)
def test_mistakes_are_found_before_anything_runs(ready: Ready, setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        ready(setting)
    assert "\n" not in str(caught.value)


def test_an_unknown_scenario_and_an_absent_design(ready: Ready, roots: tuple[Path, ...]) -> None:
    with pytest.raises(UsageError, match=r"unknown scenario.*Did you mean parcels\?"):
        prepare("parcel", design=None, seed=1, days=None, overrides=(), incidents=None, roots=roots)
    with pytest.raises(UsageError, match=r"absent\.yaml"):
        ready(design=Path("absent.yaml"))
