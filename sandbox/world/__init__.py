"""Worlds: who acts, what events look like, what is true, and when the truth becomes known.

The public face for authors of scenarios is `World`, `Knob`, `Spec` and the quantities that their
parameters are written in; `sandbox.batch.Batch` carries the events. The rest serves runs.
"""

from __future__ import annotations

from sandbox.spec.base import Spec
from sandbox.spec.units import Duration, Factor, Money, Rate, Share
from sandbox.world.arrivals import LoadCurve, sample_arrivals
from sandbox.world.conformance import check_events
from sandbox.world.contract import Knob, World
from sandbox.world.faults import DataFaultEngine
from sandbox.world.knobs import LABEL_DELAY, KnobCurves
from sandbox.world.labels import after_decision, label_times, sample_delays
from sandbox.world.load import Catalogue, build_world, load_world_class
from sandbox.world.mistakes import blamed_on
from sandbox.world.recorded import RecordedWorld, StreamedWorld

__all__ = [
    "LABEL_DELAY",
    "Catalogue",
    "DataFaultEngine",
    "Duration",
    "Factor",
    "Knob",
    "KnobCurves",
    "LoadCurve",
    "Money",
    "Rate",
    "RecordedWorld",
    "Share",
    "Spec",
    "StreamedWorld",
    "World",
    "after_decision",
    "blamed_on",
    "build_world",
    "check_events",
    "label_times",
    "load_world_class",
    "sample_arrivals",
    "sample_delays",
]
