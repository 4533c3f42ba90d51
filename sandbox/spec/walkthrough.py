"""What ``walkthrough.yaml`` says: an interview about a scenario, stage by stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, model_validator

from sandbox.spec.base import Spec, SpecError
from sandbox.spec.interview_terms import (
    ACTS,
    LEVELS,
    SIGNALS,
    STAGES,
    Conditions,
    Kind,
    Level,
    Signal,
    StageName,
)
from sandbox.spec.stated import Tolerance
from sandbox.spec.units import AnyQuantity, Duration

__all__ = [
    "Curveball",
    "Decision",
    "Figure",
    "ModelAnswers",
    "NumberCheck",
    "Option",
    "Point",
    "Probe",
    "Question",
    "Rubric",
    "Runs",
    "StagePlan",
    "Walkthrough",
]


class Figure(Spec):
    """A number that texts name as ``{name}``: reckoned, or taken from a source."""

    is_: str | None = Field(default=None, alias="is")
    """A formula over scenario and reference design."""
    value: AnyQuantity | None = None
    """A number from elsewhere."""
    source: str = ""
    """Where it is from, for `value`."""
    as_: Kind = Field(default="count", alias="as")
    """How it is shown."""
    show: str | None = None
    """The text in place of the number, for ranges such as ``30 to 120 days``; needs a source."""

    @model_validator(mode="after")
    def _one(self) -> Figure:
        if sum(part is not None for part in (self.is_, self.value, self.show)) != 1:
            raise ValueError("expected exactly one of is, value, show")
        if self.is_ is None and not self.source:
            raise ValueError("a number from elsewhere needs `source`, expected where it is from")
        return self


class Question(Spec):
    """A clarifying question that a good candidate asks."""

    ask: str
    """In the interviewer's words, for the study sheet."""
    accepts: tuple[str, ...] = Field(min_length=1)
    """Forms that are recognised: words that must all occur in what is typed."""
    answer: str
    """What the interviewer answers, with numbers."""
    reveals: tuple[str, ...] = ()
    """Decisions and numbers that this answer matters for."""
    signal: Signal = "problem_understanding"
    """What asking it shows."""
    level: Level = "junior"
    """From which level on it is expected."""
    weight: float = Field(default=1.0, gt=0)
    """How much it counts."""
    if_missed: str
    """What comes of not asking, told afterwards."""


class NumberCheck(Spec):
    """A back-of-envelope number, checked by computation on the candidate's own numbers."""

    ask: str
    """The question."""
    expect: str
    """A formula over ``scenario``, ``design``, ``capacity`` and the candidate's ``own`` numbers."""
    as_: Kind = Field(alias="as")
    """What kind of number it is."""
    tolerance: Tolerance = (0.2, 0.2)
    """How far off is still right: ``20%``, or ``+50% -0%``."""
    because: str
    """How it is reckoned, told afterwards."""
    signal: Signal = "data_and_features"
    """What it shows."""
    level: Level = "junior"
    """From which level on it is expected."""
    weight: float = Field(default=1.0, gt=0)
    """How much it counts."""
    when: Conditions = Field(default={})
    """Asked only after these choices."""


class Option(Spec):
    """One way to decide."""

    say: str
    """In a few words."""
    sets: dict[str, Any] = Field(default={})
    """Keys of the design and their values; ``features+`` appends."""
    worth: float = Field(ge=0, le=1)
    """How good it is here, from 0 to 1."""
    then: str
    """What it brings and what it costs: the consequence."""
    risks: tuple[str, ...] = ()
    """Objectives that it endangers."""
    draws: tuple[str, ...] = ()
    """Lines of a mermaid flowchart that it adds to the diagram."""


class Decision(Spec):
    """A design decision with its options."""

    ask: str
    """The question."""
    options: dict[str, Option] = Field(min_length=2)
    """By name; shown in this order."""
    shows: tuple[str, ...] = ()
    """Objectives whose measured values are the evidence for this decision."""
    signal: Signal
    """What it shows."""
    level: Level = "junior"
    """From which level on it is expected."""
    weight: float = Field(default=1.0, gt=0)
    """How much it counts."""
    when: Conditions = Field(default={})
    """Asked only after these choices."""
    read: tuple[str, ...] = ()
    """Pages of ``docs/`` to read on."""

    @model_validator(mode="after")
    def _one_is_best(self) -> Decision:
        if max(option.worth for option in self.options.values()) < 1:
            raise SpecError("no option is the best one, expected a `worth` of 1", "options")
        return self

    @property
    def best(self) -> str:
        """The name of the best option."""
        return max(self.options, key=lambda name: self.options[name].worth)


class Point(Spec):
    """Something that a good answer mentions."""

    say: str
    """In words, told afterwards."""
    accepts: tuple[str, ...] = Field(min_length=1)
    """Forms that are recognised: words that must all occur."""
    level: Level = "junior"
    """From which level on it is expected."""


class Probe(Spec):
    """A follow-up or a question of theory, answered in one's own words."""

    ask: str
    """The question."""
    points: tuple[Point, ...] = Field(min_length=1)
    """What a good answer mentions."""
    answer: str
    """A model answer."""
    signal: Signal
    """What it shows."""
    level: Level = "junior"
    """From which level on it is asked."""
    weight: float = Field(default=1.0, gt=0)
    """How much it counts."""
    theory: bool = False
    """Whether it is a question of theory."""
    when: Conditions = Field(default={})
    """Asked only after these choices."""
    missed: tuple[str, ...] = ()
    """Asked only if none of these questions were asked, or these numbers were wrong."""
    read: tuple[str, ...] = ()
    """Pages of ``docs/`` to read on."""


class Curveball(Spec):
    """Trouble that meets the running design, chosen for its weak points."""

    title: str
    """A name, told afterwards."""
    tell: str
    """What the interviewer says."""
    weak: tuple[str, ...] = Field(min_length=1)
    """Objectives that it endangers: it is chosen where these are weakest."""
    incident: str | None = None
    """An incident of the scenario that the run meets."""
    change: dict[str, Any] = Field(default={})
    """Other values of the incident's own keys."""
    fault: str | None = None
    """Or a trial of the capacity study, as ``sandbox capacity --fault`` takes it."""
    level: Level = "junior"
    """From which level on it comes."""
    when: Conditions = Field(default={})
    """Comes only after these choices."""
    ask: str = "What do you see first, what do you do, and what do you leave alone?"
    """The question."""
    points: tuple[Point, ...] = Field(min_length=1)
    """What a good answer mentions."""
    answer: str
    """A model answer."""
    read: tuple[str, ...] = ()
    """Pages of ``docs/`` to read on."""

    @model_validator(mode="after")
    def _one(self) -> Curveball:
        if (self.incident is None) == (self.fault is None):
            raise ValueError("expected exactly one of incident, fault")
        if self.change and self.incident is None:
            raise ValueError("only an incident has keys to change, expected no `change`")
        return self


class ModelAnswers(Spec):
    """How a stage is answered well, by level."""

    junior: str
    """What knows the parts and their order."""
    senior: str
    """What drives trade-offs and states assumptions."""
    staff: str
    """What quantifies, and sees beyond the system."""

    def at(self, level: str) -> str:
        """Return the answer of a level."""
        return str(getattr(self, level))


class StagePlan(Spec):
    """One stage of the interview."""

    minutes: float = Field(gt=0)
    """Of `Walkthrough.minutes`."""
    opens: str
    """How the interviewer begins."""
    steps: tuple[str, ...] = ()
    """Numbers, decisions and probes in order; ``train`` and ``run`` are the machine's."""
    answers: ModelAnswers
    """Shown at the end, for the candidate to hold their own against."""
    read: tuple[str, ...] = ()
    """Pages of ``docs/`` to read on."""


class Runs(Spec):
    """How the assembled design is run."""

    days: int = Field(default=30, ge=14, le=120)
    """Simulated days."""
    seed: int = Field(default=7, ge=0)
    """Of the world."""
    set: tuple[str, ...] = ()
    """Settings of the scenario, such as a shorter history."""
    onsets: tuple[Duration, Duration] = (7 * 86400.0, 18 * 86400.0)
    """When the two curveballs come."""


class Rubric(Spec):
    """What is looked for, and what each level shows."""

    expects: dict[str, ModelAnswers]
    """By signal: what each level shows."""
    bars: dict[Level, float]
    """Points of 100 that are expected, by level."""

    @model_validator(mode="after")
    def _complete(self) -> Rubric:
        asked: dict[str, tuple[set[str], set[str]]] = {
            "expects": (set(SIGNALS), set(self.expects)),
            "bars": (set(LEVELS), set(self.bars)),
        }
        for place, (known, got) in asked.items():
            if known != got:
                raise SpecError(f"expected exactly {', '.join(sorted(known))}", place)
        return self


class Walkthrough(Spec):
    """The whole interview."""

    prompt: str = ""
    """How it begins; the scenario's prompt when absent."""
    minutes: float = Field(default=45.0, gt=0)
    """How long it takes."""
    start: dict[str, Any]
    """The design before the first decision."""
    diagram: tuple[str, ...] = ()
    """Lines of the flowchart before the first decision."""
    figures: dict[str, Figure] = Field(default={})
    """Numbers that texts name as ``{name}``."""
    questions: dict[str, Question] = Field(min_length=1)
    """What there is to clarify."""
    numbers: dict[str, NumberCheck] = Field(default={})
    """Back-of-envelope numbers."""
    decisions: dict[str, Decision] = Field(min_length=1)
    """Design decisions."""
    probes: dict[str, Probe] = Field(default={})
    """Follow-ups and questions of theory."""
    curveballs: dict[str, Curveball] = Field(min_length=2)
    """What may come."""
    stages: dict[StageName, StagePlan]
    """The four stages."""
    runs: Runs = Runs()
    """How the assembled design is run."""
    rubric: Rubric
    """What is looked for."""

    @model_validator(mode="after")
    def _whole(self) -> Walkthrough:
        if tuple(self.stages) != tuple(STAGES):
            raise SpecError(f"expected {', '.join(STAGES)}, in this order", "stages")
        seen = set[str]()
        for key in _PARTS:
            for name in getattr(self, key):
                if name in seen:
                    raise SpecError(f"the name {name!r} is taken, expected another", key, name)
                seen.add(name)
        self._check_steps()
        self._check_conditions()
        return self

    def _check_steps(self) -> None:
        known = {*self.numbers, *self.decisions, *self.probes, *ACTS}
        placed = set[str]()
        for stage, plan in self.stages.items():
            for place, step in enumerate(plan.steps):
                at = ("stages", stage, "steps", place)
                if step not in known:
                    raise SpecError(
                        f"unknown step {step!r}, expected a number, decision or probe", *at
                    )
                if step in placed:
                    raise SpecError(f"{step!r} comes twice, expected once", *at)
                placed.add(step)
        missing = sorted(known - placed)
        if missing:
            raise SpecError(f"no stage has {missing[0]!r}, expected it among steps", "stages")

    def _check_conditions(self) -> None:
        for at, when in self._conditions():
            for name, options in when.items():
                known = self.decisions[name].options if name in self.decisions else ()
                wrong = [option for option in options if option not in known]
                if not known:
                    raise SpecError(f"unknown decision {name!r}", *at, "when", name)
                if wrong:
                    expected = f"expected one of {', '.join(known)}"
                    raise SpecError(f"unknown option {wrong[0]!r}, {expected}", *at, "when", name)
        for name, probe in self.probes.items():
            for missed in probe.missed:
                if missed not in self.questions and missed not in self.numbers:
                    at = ("probes", name)
                    raise SpecError(f"unknown question or number {missed!r}", *at, "missed")

    def _conditions(self) -> Iterator[tuple[tuple[str, str], Conditions]]:
        parts: Mapping[str, Mapping[str, NumberCheck | Decision | Probe | Curveball]] = {
            "numbers": self.numbers, "decisions": self.decisions, "probes": self.probes,
            "curveballs": self.curveballs,
        }  # fmt: skip
        for key, part in parts.items():
            for name, one in part.items():
                yield (key, name), one.when


_PARTS = ("questions", "numbers", "decisions", "probes", "curveballs")
