"""What reaches the system, block by block: arrivals, events of the world, labels, data faults.

Blocks have a fixed length on the calendar and each has its own random streams, so two designs
under the same seed meet exactly the same events whatever they do in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.errors import UsageError
from sandbox.run.seeds import stream
from sandbox.run.setup import Prepared
from sandbox.spec.incidents import Incident
from sandbox.world import (
    DataFaultEngine,
    KnobCurves,
    LoadCurve,
    StreamedWorld,
    World,
    blamed_on,
    build_world,
    check_events,
    label_times,
    sample_arrivals,
)

__all__ = ["BLOCK", "Block", "Traffic"]

BLOCK = 6 * 3600.0
"""Length of a block [s]. Deployments and verdicts take effect at its borders."""


@dataclass(frozen=True)
class Block:
    """Events of ``[start, end)`` [s since day 0]: what the system sees, and the truth."""

    start: float
    end: float
    observed: Batch
    """Event columns in log order; what was late or doubled upstream arrives so."""
    truth: Batch
    """Every event of the world in this block, ids ascending: the event columns undamaged,
    `label`, `label_time` if nothing hides it, `mechanism`."""


class Traffic:
    """The world of a run under one seed.

    Parameters
    ----------
    prepared
        Scenario, world, incidents and seed.
    thorough
        Hold every block of events against the schema, not only the first.

    Raises
    ------
    UsageError
        If the world's parameters or the incidents do not fit the world.
    """

    def __init__(self, prepared: Prepared, *, thorough: bool = False) -> None:
        scenario, seed = prepared.scenario, prepared.seed
        self._scenario, self._seed = scenario, seed
        self._last_id = -1
        self._file = prepared.folder / "world.py"
        place = str(prepared.folder / "scenario.yaml")
        world_class, start = prepared.world_class, scenario.start_time
        self._conforms, self._thorough = False, thorough
        self.world: World
        if prepared.recording is not None:
            self.world = StreamedWorld(prepared.recording)
        else:
            with self._author():
                rng = stream(seed, "population")
                self.world = build_world(world_class, scenario.world, rng, place)
        self._calm = LoadCurve(scenario.load, start, stream(seed, "bursts"))
        self._faults = DataFaultEngine(prepared.incidents, scenario.event, start)
        self._turn(prepared.incidents)

    def turn(self, incidents: Mapping[str, Incident]) -> None:
        """Let other incidents act from the next block on.

        One that was there before goes on as it was where it has the same name and place. Change
        nothing that is past: give one that ends early its end.

        Raises
        ------
        UsageError
            If they do not fit the world; nothing changes then.
        """
        DataFaultEngine(incidents, self._scenario.event, self._scenario.start_time)
        self._turn(incidents)
        self._faults.turn(incidents)

    def knobs(self, time: float) -> dict[str, float]:
        """Return the value of every knob at `time` [s since day 0]."""
        values = self._knobs.values(np.array([time]))
        return {name: float(value[0]) for name, value in values.items()}

    def full_rate(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the full-scale rate [events/s] at `times` [s since day 0], without load spikes."""
        return self._calm.rate(times + self._scenario.start_time)

    def end_fault(self, name: str, at: float) -> None:
        """Let a data fault end at `at` [s since day 0]."""
        self._faults.end(name, at)

    def block(self, index: int) -> Block:
        """Return block `index`, which begins ``index * BLOCK`` after day 0; call in order."""
        scenario, seed = self._scenario, self._seed
        start = index * BLOCK
        epoch = scenario.start_time + start
        truth = self._truth(index, epoch)
        self._check_ids(truth[scenario.event.id])
        observable = truth.select((scenario.event.id, "event_time", *scenario.event.columns))
        observed = self._faults.apply(
            observable, epoch, epoch + BLOCK, stream(seed, "faults", index)
        )
        return Block(start, start + BLOCK, observed, truth)

    def _truth(self, index: int, epoch: float) -> Batch:
        """Return what happens in the block that begins at `epoch`, and when that is known."""
        scenario, seed = self._scenario, self._seed
        with self._author():
            times = self.world.arrivals(epoch, epoch + BLOCK)
        if times is None:
            rng = stream(seed, "arrivals", index)
            together = self.world.together
            share = scenario.population * together
            times = np.repeat(
                sample_arrivals(self._curve, epoch, epoch + BLOCK, share, rng), together
            )
        knobs = self._knobs.values(times - scenario.start_time)
        with self._author():
            events = self.world.events(times, knobs, stream(seed, "events", index))
        if not self._conforms:
            self._check_events(events, times)
        if "label_time" in events:
            return events
        label_time = label_times(
            times, events["label"], scenario.labels, stream(seed, "labels", index),
            knobs["label_delay"],
        )  # fmt: skip
        return events.with_columns(label_time=label_time)

    def _turn(self, incidents: Mapping[str, Incident]) -> None:
        scenario, seed = self._scenario, self._seed
        self._knobs = KnobCurves(self.world.knobs, incidents, stream(seed, "drift"))
        faults = [i.stack for i in incidents.values() if i.stack]
        bursts = stream(seed, "bursts")
        self._curve = LoadCurve(scenario.load, scenario.start_time, bursts, faults)

    def _author(self) -> AbstractContextManager[None]:
        return blamed_on(self._file, "Mend the file; `sandbox check` looks at all of it.")

    def _check_events(self, events: Batch, times: NDArray[np.float64]) -> None:
        """Hold the events against the schema; mostly the first ones only, as it takes time."""
        problems = check_events(events, times, self._scenario.event, type(self.world))
        if problems:
            raise UsageError(
                "; ".join(problems),
                where=str(self._file),
                hint="`sandbox check` holds the world against its whole contract.",
            )
        self._conforms = len(events) > 0 and not self._thorough

    def _check_ids(self, ids: NDArray[np.int64]) -> None:
        if not len(ids):
            return
        if ids[0] <= self._last_id or (np.diff(ids) <= 0).any():
            raise UsageError(
                f"{self._scenario.event.id} must ascend within and across blocks",
                where=str(self._file),
                hint="Number the events in the order in which they happen.",
            )
        self._last_id = int(ids[-1])
