from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.cli.main import main
from sandbox.task import TASKS, get_task


def files_below(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
# A ranking has pages and arms to look at: tests/run/test_ranking.py.
@pytest.mark.parametrize("task", [task for task in TASKS if task != "ranking"])
def test_a_new_scenario_passes_check_and_runs_within_its_folder(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "late-parcels", *(["--task", task] if task != "binary" else [])]) == 0
    assert "sandbox check late-parcels\n" in capsys.readouterr().out
    written = {Path("scenarios/late-parcels") / name for name in FILES}
    assert files_below(tmp_path) == written

    assert main(["check", "late-parcels", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)
    assert len(checks) >= 3 and all(check["passed"] for check in checks)

    assert main(["run", "late-parcels", "--days", "20", "--out", "result", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["events"] > 10_000 and summary["complete"]
    assert [incident["name"] for incident in summary["incidents"]] == ["no-train"]
    outside = {path for path in files_below(tmp_path) - written if path.parts[0] != "result"}
    assert all("__pycache__" in path.parts for path in outside)

    kind = get_task(task)
    assert summary["task"] == task and summary["primary"] == kind.primary
    for version in summary["versions"]:
        for quality in (version["offline"], version["offline_baseline"]):
            assert set(quality) == {*kind.metrics, "cost"} and None not in quality.values()
    events = pq.read_table(tmp_path / "result" / "events.parquet")
    assert ("spread" in events.column_names) == kind.has_spread
    by_view = pq.read_table(tmp_path / "result" / "metrics.parquet").to_pylist()
    for view in ("oracle", "observed", "estimated"):
        seen = {row["metric"] for row in by_view if row["series"] == view}
        assert {*kind.watched} <= seen
    assert kind.bad_rate in {row["metric"] for row in by_view}
    page = (tmp_path / "result" / "report.html").read_text()
    (figures,) = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', page)
    charts = json.loads(figures)
    check_charts(charts["calibration"]["data"], charts["scores"]["data"], events, summary)
    if task == "regression":
        check_hours(summary, events)


def check_charts(curves: Any, heat: Any, events: pa.Table, summary: Any) -> None:
    """Look for what a chart shows, and that it is about these events."""
    by_name = {trace["name"]: trace for trace in curves}
    served = sorted({f"v{number}" for number in events["version"].to_pylist()})
    assert sorted(by_name) == sorted([*served, "perfect"])
    score = events["score"].to_numpy()
    for name in served:
        x, y, count = (np.array(by_name[name][key]) for key in ("x", "y", "customdata"))
        assert 3 <= len(x) == len(y) == len(count) and (y > 0).all()
        assert score.min() <= x.min() < x.max() <= score.max() and (np.diff(x) > 0).all()
    (shares,) = (10.0 ** np.array(trace["z"], dtype=float) for trace in heat)
    total = np.nansum(shares, axis=0)
    assert len(total) == 3 and total == pytest.approx(
        np.full(3, 100.0 if total[0] > 2 else 1.0), rel=0.01
    )


def check_hours(summary: Any, events: pa.Table) -> None:
    """Hold what a regression says about itself against its own events."""
    label, score, spread, decision, worked = (
        events[name].to_numpy(zero_copy_only=False)
        for name in ("label", "score", "spread", "decision", "worked")
    )
    wrong = np.abs(score - label) > 0.1 * label
    missed = wrong & (decision != 2) & ~worked
    money = summary["money"]
    assert money["missed"] == pytest.approx(2 * missed.sum())
    # Without a model nobody would be told anything: all of them cost.
    assert money["no_model"] == pytest.approx(2 * len(label)) and money["missed"] > 0
    assert money["total"] < 0.5 * money["no_model"]
    held = np.abs(np.log(label / score)) <= spread
    early = events["event_time"].to_numpy() < events["event_time"].to_numpy().min() + 9 * 86400
    assert held[early].mean() == pytest.approx(0.9, abs=0.03)
    assert (~wrong)[early].mean() > (~wrong)[~early].mean() + 0.05  # the train is cancelled
    (coverage,) = (o for o in summary["objectives"] if o["name"] == "interval_coverage")
    assert 0.7 < coverage["measured"] < 0.95


FILES = ("README.md", "world.py", "scenario.yaml", "design.yaml")


def test_check_fails_with_exit_code_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "broken", "--into", str(tmp_path)]) == 0
    assert f"sandbox check broken --scenarios {tmp_path}" in capsys.readouterr().out
    world = tmp_path / "broken" / "world.py"
    world.write_text(world.read_text().replace('"parcel_id": np.arange(', '"id": np.arange('))
    assert main(["check", "broken", "--scenarios", str(tmp_path)]) == 3
    out, err = capsys.readouterr()
    assert "parcel_id" in out
    assert err.startswith("error: check broken: ") and err.count("\n") == 1


def test_new_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    assert main(["new", "mine", "--into", str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert not list((tmp_path / "mine").iterdir())


def test_new_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "mine", "--into", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"name": "mine", "folder": str(tmp_path / "mine"), "files": sorted(FILES)}
