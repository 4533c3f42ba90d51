"""Recorded events in place of a generator: which days are played, and what the scenario becomes."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping

from sandbox.adapters.recorded import LabelRule, Recording, read_recording
from sandbox.adapters.recorded_file import EventsFile
from sandbox.adapters.recorded_survey import Survey, survey_recording
from sandbox.errors import UsageError
from sandbox.spec.incidents import Incident
from sandbox.spec.scenario import Scenario
from sandbox.task import Task
from sandbox.world import LABEL_DELAY

__all__ = ["MOST_EVENTS", "check_turnable", "play_back"]

DAY = 86400.0
_NEARLY = 0.1
MOST_EVENTS = 10_000_000
"""Events of one run: its log keeps every one with its features, some 0.3 kB each."""


def play_back(
    file: EventsFile, scenario: Scenario, task: Task, days: int | None
) -> tuple[Scenario, Recording, int]:
    """Read a file, and lay the scenario's calendar over it.

    The history begins at midnight (UTC) of the first day; the run lasts as long as days are left,
    the last one if nine tenths of it are there. The stack carries the recorded mean rate times the
    scenario's population.

    Parameters
    ----------
    file
        The user's events.
    scenario
        Schema, labels, costs, objectives: the question stays.
    task
        Says what a label can be.
    days
        Length of the run; all that the file holds when absent.

    Returns
    -------
    scenario : Scenario
        With the calendar and the load of the recording.
    recording : Recording
        The events.
    days : int
        Days of the run.

    Raises
    ------
    UsageError
        If the file cannot be played under this scenario.
    """
    survey = survey_recording(file, scenario.event)
    zero = (math.floor(survey.first / DAY) + math.ceil(scenario.history / DAY)) * DAY
    begin = zero - scenario.history
    left = math.floor((survey.last - zero) / DAY + _NEARLY)
    span = f"{(survey.last - survey.first) / DAY:.1f} days of events"
    if left < 1:
        raise UsageError(
            "too short", where=str(file.path), got=span,
            expected=f"more than the history, {scenario.history / DAY:g}d, and a day to run",
            hint="Shorten the history: --set history=30d (and model.training.window)",
        )  # fmt: skip
    if days is not None and days > left:
        raise UsageError(
            "the file ends before that", where="--days", got=days,
            expected=f"at most {left}: {span}, of which {scenario.history / DAY:g} are history",
        )  # fmt: skip
    length = days or left
    end = zero + length * DAY
    _check_size(survey, begin, end)
    labels = LabelRule(task.label_values, scenario.labels.absence_means)
    recording = read_recording(survey, scenario.event, labels, begin, end)
    rate = recording.events / (end - begin) * scenario.population
    load = scenario.load.model_copy(update={"mean": rate, "events": (), "growth": 0.0})
    first_day = dt.datetime.fromtimestamp(zero, dt.UTC).date()
    changed = {"start": first_day, "days": length, "load": load, "timeline": ()}
    return scenario.model_copy(update=changed), recording, length


def _check_size(survey: Survey, begin: float, end: float) -> None:
    events = survey.rows_between(begin, end)
    if events > MOST_EVENTS:
        raise UsageError(
            "too many events for one run",
            where=str(survey.file.path),
            got=f"{events:,}, some {events * 0.3e-6:.1f} GB of memory",
            expected=f"at most {MOST_EVENTS:,}",
            hint="Play fewer days (--days), shorten the history (--set history=...), or hand in a "
            "sample of whole keys.",
        )


def check_turnable(incidents: Mapping[str, Incident]) -> None:
    """Refuse incidents that a recording cannot have: nothing turns what happened already.

    Raises
    ------
    UsageError
        Naming the incident.
    """
    for name, incident in incidents.items():
        if incident.drift is not None and incident.drift.knob != LABEL_DELAY.name:
            raise UsageError(
                "a recording has no such knob", where=f"--incident {name}",
                got=incident.drift.knob,
                expected="faults of data, labels or the stack",
                hint="What happened cannot be turned; leave it out.",
            )  # fmt: skip
