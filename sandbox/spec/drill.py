"""What a drill says: a story, what is hidden in it, what may be done, and what counts as mended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from sandbox.spec.base import Spec, SpecError
from sandbox.spec.bound import Bound
from sandbox.spec.units import Duration, Money, Offset

__all__ = [
    "LEVELS",
    "MEASURES",
    "PANELS",
    "STEP",
    "Defaults",
    "Drill",
    "Evidence",
    "Hidden",
    "Hint",
    "Prices",
    "WrongRemedy",
]

STEP = 6 * 3600.0
"""What time passes in [s]: the blocks of a run."""
LEVELS = ("easy", "medium", "hard")
MEASURES: Mapping[str, str] = {
    "saved": "share of the avoidable loss that was avoided; doing nothing is 0, the reference 1",
    "extra_loss": "loss beyond doing nothing, as a share of it; below 0 is better than nothing",
    "diagnosed_within": "time from the first sign (or the arrival) to the right diagnosis",
    "detected_within": "time from the first sign (or the arrival) to the first reaction",
    "mitigated_within": "time until the losses to come were near the reference's",
    "wrong_diagnoses": "wrong causes named",
    "false_pages": "people woken up who could do nothing",
    "good_blocked": "share of good events that were refused",
    "reviews_wasted": "reviews of good events",
    "answered": "share of events that the model answered in time",
    "changes": "actions that changed what is decided",
    "retrainings": "training jobs asked for",
    "promotions": "versions promoted",
    "spent": "what acting cost [USD]",
}
PANELS = ("quality", "drift", "data", "stream", "money", "versions", "samples")


class Prices(Spec):
    """What acting costs, beside what it does [USD]."""

    retrain: Money = 50.0
    """A training job."""
    page: Money = 200.0
    """Somebody is woken up."""
    redeploy: Money = 100.0
    """A release is taken back."""
    rebuild: Money = 150.0
    """The feature state is computed anew."""
    throttle: Money = 50.0
    """A limit is set, and somebody answers for it."""
    worker_day: Money = 5.0
    """A worker more than the design has, for a day."""


class Budget(Spec):
    """How long the drill lasts, and what acting may cost."""

    time: Duration = Field(default=14 * 86400.0, gt=0)
    """From the learner's arrival to the end."""
    money: Money = 5000.0
    """For retraining, pages, workers and the like."""


class Defaults(Spec):
    """``defaults.yaml``: what the drills of a scenario share."""

    set: tuple[str, ...] = ()
    """Settings of design and scenario, such as ``load.mean=500/s``."""
    prices: Prices = Prices()
    """What acting costs."""
    causes: dict[str, str] = Field(min_length=2)
    """Every cause that `diagnose` takes, and what it means."""
    people: dict[str, str] = Field(default={})
    """Who can be paged, and what they know when nothing is wrong with their part."""


class Hidden(Spec):
    """One hidden incident: one of the scenario's, moved and changed."""

    incident: str
    """Its name in ``scenario.yaml``."""
    at: Offset
    """Onset, from the learner's arrival; may be negative."""
    change: dict[str, Any] = Field(default={})
    """Other values of the incident's own keys, such as ``to: 60%``."""
    mended_by: tuple[dict[str, Any], ...] | None = None
    """Who can end it; the incident's own when absent."""


class Evidence(Spec):
    """What could be seen of the cause, and where."""

    panel: Literal["quality", "drift", "data", "stream", "money", "versions", "samples"]
    """The panel of `look`."""
    say: str
    """What it shows, told afterwards."""
    metric: str | None = None
    """A series of the run, ``metric`` or ``metric(series)``; visible once it crosses a bound."""
    above: float | None = None
    """Visible when the metric is higher."""
    below: float | None = None
    """Visible when the metric is lower."""
    after: Duration = 0.0
    """Where there is no metric: visible this long after the onset."""

    @model_validator(mode="after")
    def _bound(self) -> Evidence:
        bounds = (self.above is not None) + (self.below is not None)
        if (self.metric is not None) != (bounds == 1):
            raise ValueError("expected `metric` with one of `above` and `below`, or neither")
        return self


class Hint(Spec):
    """Something to think about, given the state of the session."""

    when: str = ""
    """A condition such as ``elapsed > 2d and not looked(samples)``; always when empty."""
    say: str
    """The hint."""


class WrongRemedy(Spec):
    """What many would do, and why it does not help."""

    name: str
    """In a few words."""
    steps: tuple[str, ...] = Field(min_length=1)
    """Commands of a session, as in `solution`."""
    because: str
    """Why it fails, told afterwards."""


class Drill(Spec):
    """One blind incident, from the pager to the debrief."""

    title: str
    """As in `drill list`; gives nothing away."""
    level: Literal["easy", "medium", "hard"]
    """How hard it is."""
    skills: tuple[Literal["detect", "diagnose", "mitigate", "retrain", "promote", "operate"], ...]
    """What it trains."""
    story: str
    """What the learner is told at the start."""
    set: tuple[str, ...] = ()
    """Settings on top of the scenario's ``drills/defaults.yaml``."""
    start: Duration = Field(default=14 * 86400.0, gt=0)
    """Day of the run on which the learner arrives."""
    before: tuple[str, ...] = ()
    """What somebody else did before: ``retrain@10d``, as in ``sandbox run --do``."""
    hidden: tuple[Hidden, ...] = ()
    """What happens, what the drill is about last; nothing at all is allowed."""
    budget: Budget = Budget()
    """How long it lasts, and what acting may cost."""
    diagnosis: str
    """The right cause."""
    accept: tuple[str, ...] = ()
    """Causes that count as right as well."""
    actions: tuple[str, ...] = ()
    """Actions on offer; all of them when empty."""
    people: dict[str, str] = Field(default={})
    """What who answers when paged, on top of the defaults."""
    passes: dict[str, Bound] = Field(alias="pass", min_length=1)
    """Measures of the grade and what they must reach."""
    evidence: tuple[Evidence, ...] = Field(min_length=1)
    """What could be seen, and where."""
    hints: tuple[Hint, ...] = ()
    """State-aware; the first whose condition holds and that was not told yet."""
    solution: tuple[str, ...] = Field(min_length=1)
    """Commands of a session that passes: ``look``, ``advance``, ``do``, ``diagnose``."""
    wrong: tuple[WrongRemedy, ...] = ()
    """Remedies that fail."""
    debrief: str
    """What it was, and what to take away."""
    read: tuple[str, ...] = ()
    """Pages of ``docs/`` to read on."""

    @model_validator(mode="after")
    def _lasts_whole_blocks(self) -> Drill:
        for name, value in (("start", self.start), ("budget", self.budget.time)):
            if value % STEP:
                raise SpecError("expected a multiple of 6h", name)
        return self
