"""The contract that every interview keeps: it can be asked, answered, reckoned and run."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import ValidationError

from sandbox.capacity.faults import parse_fault
from sandbox.errors import SandboxError, VerdictError
from sandbox.interview.assembly import Assembly
from sandbox.interview.content import PLACEHOLDER, Loaded, load_walkthrough
from sandbox.interview.matching import best_matches
from sandbox.interview.sheet import expected_numbers
from sandbox.model import check_model
from sandbox.run.imbalance_folds import plan_folds
from sandbox.run.verdict import check_rollback
from sandbox.spec.design import Design
from sandbox.spec.expression import Expression, ExpressionError
from sandbox.spec.interview_terms import Conditions
from sandbox.spec.walkthrough import Walkthrough
from sandbox.task import get_task

__all__ = ["Promise", "check_walkthrough", "claims", "texts"]

COMBINATIONS = 40
"""Random ways through the decisions that are tried."""
BARE_NUMBER = re.compile(r"(?<![A-Za-z0-9_{])\d+(?!\d|st|nd|rd|th)")
DAY = 86400.0


@dataclass(frozen=True)
class Promise:
    """One promise: whether it is kept, and what was seen."""

    name: str
    kept: bool
    detail: str


def check_walkthrough(name: str, roots: Sequence[Path]) -> Iterator[Promise]:
    """Hold an interview to its contract, and yield what came of each promise.

    Raises
    ------
    UsageError
        If the file cannot be read, or says something impossible.
    """
    loaded = load_walkthrough(name, roots)
    designs: list[tuple[dict[str, str], Design]] = []
    checks: tuple[tuple[str, Callable[[Loaded], str]], ...] = (
        ("every formula can be reckoned", _formulas),
        ("every option gives a design that can run", lambda one: _options(one, designs)),
        ("every text's numbers are known", _placeholders),
        ("model answers name no number without a source", _sourced),
        ("every curveball fits the scenario", lambda one: _curveballs(one, designs)),
        ("objectives are those of the scenario", _objectives),
        ("every question is recognised", _questions),
        ("what answers reveal is asked later", _reveals),
    )
    for promise, check in checks:
        try:
            yield Promise(promise, True, check(loaded))
        except SandboxError as error:
            yield Promise(promise, False, error.line())


def texts(plan: Walkthrough) -> Iterator[tuple[str, str]]:
    """Yield every text that may name figures, and where it stands."""
    yield "prompt", plan.prompt
    for name, question in plan.questions.items():
        yield f"questions.{name}.ask", question.ask
    for name, number in plan.numbers.items():
        yield f"numbers.{name}.ask", number.ask
        yield f"numbers.{name}.because", number.because
    for name, decision in plan.decisions.items():
        yield f"decisions.{name}.ask", decision.ask
        for key, option in decision.options.items():
            yield f"decisions.{name}.options.{key}.say", option.say
    for name, probe in plan.probes.items():
        yield f"probes.{name}.ask", probe.ask
    for name, ball in plan.curveballs.items():
        yield f"curveballs.{name}.tell", ball.tell
        yield f"curveballs.{name}.ask", ball.ask
    for name, stage in plan.stages.items():
        yield f"stages.{name}.opens", stage.opens
    yield from claims(plan)


def claims(plan: Walkthrough) -> Iterator[tuple[str, str]]:
    """Yield the texts that claim something, and where they stand."""
    for name, question in plan.questions.items():
        yield f"questions.{name}.answer", question.answer
        yield f"questions.{name}.if_missed", question.if_missed
    for name, decision in plan.decisions.items():
        for key, option in decision.options.items():
            yield f"decisions.{name}.options.{key}.then", option.then
    for name, probe in plan.probes.items():
        yield f"probes.{name}.answer", probe.answer
    for name, ball in plan.curveballs.items():
        yield f"curveballs.{name}.answer", ball.answer
    for name, stage in plan.stages.items():
        for level in ("junior", "senior", "staff"):
            yield f"stages.{name}.answers.{level}", stage.answers.at(level)


def _formulas(loaded: Loaded) -> str:
    plan, before = loaded.walkthrough, set[str]()
    try:
        for stage in plan.stages.values():
            for step in (s for s in stage.steps if s in plan.numbers):
                for part in Expression.parse(plan.numbers[step].expect).parts():
                    if part.startswith("own.") and part.removeprefix("own.") not in before:
                        raise ExpressionError(f"{part!r} is asked later, or not always")
                if not plan.numbers[step].when and plan.numbers[step].level == "junior":
                    before.add(step)
        found = expected_numbers(loaded)
    except ExpressionError as error:
        raise VerdictError(str(error), where=f"{loaded.source.name} numbers") from None
    return f"{len(found)} numbers, {len(loaded.figures)} figures"


def _options(loaded: Loaded, designs: list[tuple[dict[str, str], Design]]) -> str:
    designs += _designs(loaded)
    count = sum(len(decision.options) for decision in loaded.walkthrough.decisions.values())
    return f"{count} options, {len(designs)} designs"


def _designs(loaded: Loaded) -> Iterator[tuple[dict[str, str], Design]]:
    """Yield the design of every option on the way of the best choices, and of random ways."""
    decisions = loaded.walkthrough.decisions
    best = {name: decision.best for name, decision in decisions.items()}
    ways = [
        {**best, name: option}
        for name, decision in decisions.items()
        for option in decision.options
    ]
    chance = random.Random(0)
    ways += [
        {name: chance.choice(list(decision.options)) for name, decision in decisions.items()}
        for _ in range(COMBINATIONS)
    ]
    for way in ways:
        yield _assemble(loaded, way)


def _assemble(loaded: Loaded, way: dict[str, str]) -> tuple[dict[str, str], Design]:
    """Return the choices that were really offered on a way, and the design that they give."""
    plan = loaded.walkthrough
    assembly = Assembly(plan.start, loaded.scenario, plan.diagram)
    chosen: dict[str, str] = {}
    for stage in plan.stages.values():
        for step in (s for s in stage.steps if s in plan.decisions):
            decision = plan.decisions[step]
            if _holds(chosen, decision.when):
                chosen[step] = way[step]
                option = decision.options[way[step]]
                assembly.apply(option.sets, option.draws)
    try:
        design = assembly.design()
        check_rollback(design, assembly.source())
        check_model(design.model, get_task(loaded.scenario.task))
        # Training is shown on days of the history that no training slice reaches.
        plan_folds(loaded.scenario.history, design.model.training, loaded.scenario.start_time)
    except SandboxError as error:
        told = ", ".join(f"{name}: {option}" for name, option in chosen.items())
        raise VerdictError(f"{error.line()} With {told}", where="decisions") from None
    return chosen, design


def _holds(chosen: Mapping[str, str], when: Conditions) -> bool:
    return all(chosen.get(name) in options for name, options in when.items())


def _placeholders(loaded: Loaded) -> str:
    count = 0
    for where, text in texts(loaded.walkthrough):
        for name in PLACEHOLDER.findall(text):
            count += 1
            if name not in loaded.shown:
                raise VerdictError(
                    "unknown figure", where=where, got=name, expected="a name of `figures`"
                )
    return f"{count} places"


def _sourced(loaded: Loaded) -> str:
    found = list(claims(loaded.walkthrough))
    for where, text in found:
        bare = BARE_NUMBER.search(PLACEHOLDER.sub("", text))
        if bare:
            raise VerdictError(
                "a number that nobody vouches for", where=where,
                got=text[bare.start() : bare.start() + 20],
                expected="a name of `figures`, which has a formula or a source",
            )  # fmt: skip
    return f"{len(found)} texts"


def _curveballs(loaded: Loaded, designs: Sequence[tuple[dict[str, str], Design]]) -> str:
    incidents = loaded.scenario.incidents
    for name, ball in loaded.walkthrough.curveballs.items():
        where = f"curveballs.{name}"
        if ball.fault is not None:
            parse_fault(ball.fault, 60.0, 60.0)
        elif ball.incident not in incidents:
            raise VerdictError(
                "unknown incident", where=where, got=ball.incident,
                expected=f"one of {', '.join(incidents)}",
            )  # fmt: skip
        else:
            try:
                incidents[ball.incident].placed(DAY, ball.change)
            except ValidationError as error:
                problem = error.errors(include_url=False)[0]["msg"]
                raise VerdictError(f"it cannot be changed so ({problem})", where=where) from None
    _check_features(loaded, designs)
    return f"{len(loaded.walkthrough.curveballs)} curveballs"


def _check_features(loaded: Loaded, designs: Sequence[tuple[dict[str, str], Design]]) -> None:
    """Hold curveballs that damage served features against all designs that they may meet."""
    balls = {
        name: (ball, loaded.scenario.incidents[ball.incident].serving)
        for name, ball in loaded.walkthrough.curveballs.items()
        if ball.incident is not None
    }
    for chosen, design in designs:
        for name, (ball, serving) in balls.items():
            if serving is None or not _holds(chosen, ball.when):
                continue
            for pattern in serving.features:
                if not any(fnmatchcase(one, pattern) for one in design.feature_names):
                    raise VerdictError(
                        "it may meet a design without such features", where=f"curveballs.{name}",
                        got=pattern, expected="`when` with the choices that bring them",
                    )  # fmt: skip


def _objectives(loaded: Loaded) -> str:
    known = loaded.scenario.objectives
    named: list[tuple[str, Sequence[str]]] = []
    for name, decision in loaded.walkthrough.decisions.items():
        named.append((f"decisions.{name}.shows", decision.shows))
        named += [(f"decisions.{name}.options.{k}.risks", o.risks)
                  for k, o in decision.options.items()]  # fmt: skip
    for name, ball in loaded.walkthrough.curveballs.items():
        named.append((f"curveballs.{name}.weak", ball.weak))
    for where, names in named:
        for objective in names:
            if objective not in known:
                raise VerdictError(
                    "unknown objective", where=where, got=objective,
                    expected=f"one of {', '.join(known)}",
                )  # fmt: skip
    return f"{len(known)} objectives"


def _questions(loaded: Loaded) -> str:
    questions = loaded.walkthrough.questions
    forms = {name: question.accepts for name, question in questions.items()}
    for name, question in questions.items():
        found = best_matches(question.ask, forms, 2)
        if name not in found:
            raise VerdictError(
                "its own wording is not recognised", where=f"questions.{name}",
                got=", ".join(found) or "nothing", expected=name,
            )  # fmt: skip
    return f"{len(questions)} questions"


def _reveals(loaded: Loaded) -> str:
    plan = loaded.walkthrough
    known = {*plan.numbers, *plan.decisions, *plan.probes}
    for name, question in plan.questions.items():
        for later in question.reveals:
            if later not in known:
                raise VerdictError("nothing of that name", where=f"questions.{name}", got=later)
    return f"{sum(len(q.reveals) for q in plan.questions.values())} links"
