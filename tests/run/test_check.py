"""The scaffold passes; twins of it, each broken in one way, fail the one check that is about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sandbox.errors import UsageError
from sandbox.pipeline.features.history import compute_history
from sandbox.run import check
from sandbox.run.check import CheckResult, check_scenario
from sandbox.run.scaffold import write_scenario

ALL = (
    "readme", "scenario", "world", "incidents", "objectives", "design", "events", "seeds", "labels",
    "knobs", "features", "run",
)  # fmt: skip
Broken = Callable[..., list[CheckResult]]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the trial run, which takes most of the time."""
    monkeypatch.setattr(check, "_run", lambda prepared: "left out")


@pytest.fixture
def broken(tmp_path: Path, quick: None) -> Broken:
    """Check a scaffold after replacing texts in its files."""

    def build(file: str, *changes: tuple[str, str]) -> list[CheckResult]:
        folder = write_scenario("twin", task="binary", into=tmp_path)
        text = (folder / file).read_text()
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (folder / file).write_text(text)
        return check_scenario("twin", [tmp_path])

    return build


def failed(results: list[CheckResult]) -> Mapping[str, str]:
    return {result.name: result.detail for result in results if not result.passed}


def test_the_scaffold_passes_every_check(roots: tuple[Path, ...]) -> None:
    results = check_scenario("parcels", roots)
    assert tuple(result.name for result in results) == ALL
    assert failed(results) == {}
    details = {result.name: result.detail for result in results}
    assert details["knobs"] == "events move with by_road"
    assert "5." in details["labels"] and "2.0 days (median)" in details["labels"]
    assert details["features"].startswith("9 equal to the last bit")
    assert all("\n" not in detail for detail in details.values())


def test_a_scenario_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown scenario"):
        check_scenario("absent", [tmp_path])


COUNTER = "np.arange(self._next_id, self._next_id + n)"
ROUTE = "rng.integers(self._routes, size=n)"


@pytest.mark.parametrize(
    ("check", "change", "says"),
    [
        ("events", ('"parcel_id": np.arange(', '"id": np.arange('), "missing columns: parcel_id"),
        ("events", (COUNTER, "np.arange(n)"), "parcel_id must ascend within and across"),
        ("events", ("rng.lognormal(0.0, 0.5, n), 2)", "-1.0, 2)"), "weight_kg goes down to"),
        ("events", (ROUTE, "rng.integers(self._rutes, size=n)"), "AttributeError"),
        ("world", ("rng.gamma(0.15, 1.0", "rng.gamma(-1.0, 1.0"), "ValueError: shape < 0"),
        ("world", ("import Batch\n", "import Batch, Botch\n"), "ImportError"),
        ("seeds", (ROUTE, "np.random.default_rng().integers(self._routes, size=n)"), "route_id"),
        ("labels", ("np.asarray(late, dtype=np.float64)", "np.zeros(n)"), "the same label"),
        ("labels", ("np.asarray(late, dtype=np.float64)", "2.0 * late"), "labels are not 0 or 1"),
        ("knobs", ('knobs["by_road"], 0.0)', "0.0, 0.0)"), "knob by_road moves nothing"),
    ],
)
def test_a_broken_world_fails_the_check_that_is_about_it(
    broken: Broken, check: str, change: tuple[str, str], says: str
) -> None:
    found = failed(broken("world.py", change))
    assert check in found and says in found[check]
    assert "world.py" in found[check]
    # What fails first is what the author should mend first.
    assert next(iter(found)) == check


def test_a_world_that_ignores_the_seed_is_found(broken: Broken) -> None:
    fixed = "rng = np.random.default_rng(int(event_time[0]) % 2**32)\n        n = len(event_time)"
    found = failed(
        broken(
            "world.py",
            ("n = len(event_time)", fixed),
            (
                "def __init__(self, params: ParcelParams, rng: np.random.Generator) -> None:\n",
                "def __init__(self, params: ParcelParams, rng: np.random.Generator) -> None:\n"
                "        rng = np.random.default_rng(1)\n",
            ),
        )
    )
    # Arrivals still differ with the seed, so events do: chance in them is the load's.
    assert "seeds" not in found


@pytest.mark.parametrize(
    ("check", "change", "says"),
    [
        ("scenario", ("late_share: 0.05", "late_share: [0.05"), "scenario.yaml"),
        ("scenario", ("days: 40", "dayz: 40"), "Did you mean days?"),
        ("scenario", ("field: weight_kg", "field: wieght_kg"), "Did you mean weight_kg?"),
        ("world", ("routes: 120", "routes: 3"), "world.routes: impossible value"),
        ("incidents", ("knob: by_road", "knob: by_rail"), "Did you mean by_road?"),
        ("incidents", ("to: 0.5", "to: 5"), "by_road out of range"),
        ("incidents", ("to: 0.5, at: 10d", "to: 0.5, at: 50d"), "never happens"),
        ("objectives", ("event_to_decision_p99:", "speed:"), "unknown objective"),
        ("objectives", ("at_most: 500ms", "at_most: 50%"), "a bound of another kind"),
        ("objectives", ("at_least: 0.45", "at_least: 45 USD"), "a bound of another kind"),
        ("objectives", ("window: 7d", "window: 70d"), "no run is that long"),
        ("events", ("mean: 2/s ", "mean: 1e-9/s"), "no event happens before day 0"),
        ("design", ("history: 30d", "history: 20d"), "would need more past than there is"),
    ],
)
def test_a_broken_scenario_fails_the_check_that_is_about_it(
    broken: Broken, check: str, change: tuple[str, str], says: str
) -> None:
    found = failed(broken("scenario.yaml", change))
    assert next(iter(found)) == check and says in found[check]


def test_a_broken_design_fails(broken: Broken) -> None:
    found = failed(broken("design.yaml", ("- weight_kg\n", "- wait_kg\n")))
    assert list(found) == ["design"] and "Did you mean weight_kg?" in found["design"]


def test_without_an_exercise_it_is_none(tmp_path: Path, quick: None) -> None:
    folder = write_scenario("twin", task="binary", into=tmp_path)
    (folder / "README.md").unlink()
    results = check_scenario("twin", [tmp_path])
    assert list(failed(results)) == ["readme"] and len(results) == len(ALL)


def test_features_that_differ_are_named(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    def off_by_a_bit(*arguments: object) -> object:
        matrix = compute_history(*arguments)  # type: ignore[arg-type]
        matrix[100, 6] += 1e-3
        return matrix

    monkeypatch.setattr("sandbox.run.check_events.compute_history", off_by_a_bit)
    found = failed(broken("README.md"))
    assert list(found) == ["features"]
    assert "not the same online and in training; got 'route_id_count_1d'" in found["features"]


def test_a_run_that_fails_is_a_failed_check(tmp_path: Path) -> None:
    folder = write_scenario("twin", task="binary", into=tmp_path)
    file = folder / "scenario.yaml"
    file.write_text(file.read_text().replace("late_share: 0.05", "late_share: 0.0002"))
    found = failed(check_scenario("twin", [tmp_path]))
    assert list(found) == ["run"] and "the first model cannot be trained" in found["run"]


def test_our_own_mistakes_are_not_blamed_on_the_author(
    broken: Broken, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*_: object) -> None:
        raise ValueError("ours")

    monkeypatch.setattr("sandbox.run.traffic.label_times", bug)
    with pytest.raises(ValueError, match="ours"):
        broken("README.md")
