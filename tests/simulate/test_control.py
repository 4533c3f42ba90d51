from __future__ import annotations

import pytest
import simpy
import simpy.rt

from sandbox.simulate.control import ControlPlane, Phase


def plane(start: float = 0.0) -> ControlPlane:
    return ControlPlane(simpy.Environment(initial_time=start))


def test_phases_order_what_is_due_at_one_time() -> None:
    control, seen = plane(), list[str]()
    phases = [phase for phase in Phase if phase is not Phase.STOP]
    for phase in reversed(phases):
        control.at(5.0, lambda _, name=phase.name: seen.append(name), phase)  # type: ignore[misc]
    control.run(5.0)
    assert seen == [phase.name for phase in phases]


def test_within_a_phase_the_order_of_scheduling_holds() -> None:
    control, seen = plane(), list[int]()
    for number in range(5):
        control.at(1.0, lambda _, n=number: seen.append(n), Phase.LABEL)  # type: ignore[misc]
    control.run(1.0)
    assert seen == [0, 1, 2, 3, 4]


def test_series_with_odd_periods_meet() -> None:
    """0.1 has no exact float: sums of it miss 0.3 in plain floats."""
    control, seen = plane(), list[tuple[str, float]]()
    control.every(0.1, lambda now: seen.append(("monitor", now)), Phase.MONITOR)
    control.every(0.3, lambda now: seen.append(("traffic", now)), Phase.TRAFFIC)
    control.run(3.1)
    for place, (name, now) in enumerate(seen):
        if name == "traffic":
            assert seen[place + 1] == ("monitor", now)
    assert sum(name == "traffic" for name, _ in seen) == 10


def test_every_counts_from_start_to_until() -> None:
    control, seen = plane(-20.0), list[float]()
    control.every(5.0, seen.append, Phase.TRAFFIC, start=-12.0, until=3.0)
    control.every(5.0, seen.append, Phase.TRAFFIC, start=50.0, until=3.0)
    control.run(100.0)
    assert seen == [-12.0, -7.0, -2.0, 3.0]


def test_run_includes_its_last_moment_and_can_go_on() -> None:
    control, seen = plane(), list[float]()
    control.every(10.0, seen.append, Phase.RETRAIN)
    control.run(20.0)
    assert (seen, control.now) == ([10.0, 20.0], 20.0)
    control.run(30.0)
    assert seen == [10.0, 20.0, 30.0]


def test_between_skips_the_past_and_begins_late() -> None:
    control, seen = plane(100.0), list[tuple[str, float]]()

    def watch(name: str, start: float, end: float) -> None:
        control.between(
            start,
            end,
            lambda now: seen.append((f"{name} on", now)),
            lambda now: seen.append((f"{name} off", now)),
        )

    watch("over", 10.0, 50.0)
    watch("running", 50.0, 150.0)
    watch("next", 150.0, float("inf"))
    control.run(1000.0)
    assert seen == [("running on", 100.0), ("running off", 150.0), ("next on", 150.0)]


def test_training_jobs_queue_for_one_trainer() -> None:
    control, seen = plane(), list[tuple[str, float]]()

    def order(now: float) -> None:
        for name in ("a", "b"):
            control.train_job(
                30.0,
                lambda now, n=name: seen.append((f"{n} done", now)),  # type: ignore[misc]
                lambda now, n=name: seen.append((f"{n} starts", now)),  # type: ignore[misc]
            )

    control.at(10.0, order, Phase.MONITOR)
    control.run(20.0)
    assert control.training
    control.run(100.0)
    assert not control.training
    assert seen == [("a starts", 10.0), ("a done", 40.0), ("b starts", 40.0), ("b done", 70.0)]


def test_an_exception_leaves_as_it_was_raised() -> None:
    class Odd(Exception):
        def __init__(self, *, place: str) -> None:
            super().__init__("odd")
            self.place = place

    def fail(_: float) -> None:
        raise Odd(place="here")

    control = plane()
    control.train_job(5.0, fail)
    with pytest.raises(Odd) as caught:
        control.run(10.0)
    assert caught.value.place == "here"


def test_the_same_code_runs_in_real_time() -> None:
    env = simpy.rt.RealtimeEnvironment(initial_time=0.0, factor=1e-4, strict=False)
    control, seen = ControlPlane(env), list[float]()
    control.every(10.0, seen.append, Phase.TRAFFIC)
    control.run(30.0)
    assert seen == [10.0, 20.0, 30.0]


def test_impossible_times_are_refused() -> None:
    control = plane(10.0)
    with pytest.raises(ValueError, match="cannot schedule"):
        control.at(9.0, lambda _: None, Phase.LABEL)
    with pytest.raises(ValueError, match="cannot schedule"):
        control.at(float("nan"), lambda _: None, Phase.LABEL)
    with pytest.raises(ValueError, match="period"):
        control.every(0.0, lambda _: None, Phase.LABEL)
