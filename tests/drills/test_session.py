"""A session: commands, mistakes that change nothing, and playing it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sandbox.drills.catalogue import load_drill
from sandbox.drills.conditions import Condition
from sandbox.drills.grade import grade
from sandbox.drills.measures import Outcome, mitigated_at
from sandbox.drills.panels import panel
from sandbox.drills.players import nobody, play, retrainer, tightener
from sandbox.drills.session import Session
from sandbox.errors import SandboxError, UsageError
from sandbox.spec.drill import PANELS
from tests.drills.conftest import DRILL, NAME, write_drills

Begin = Callable[..., Session]
WAY = (
    "look samples", "advance 6h", "do threshold block=0.8", "do retrain training.window=8d",
    "advance 1d", "hint", "do canary share=30%", "advance 6h", "do promote", "do workers count=6",
    "do page who=depot", "diagnose bad_data", "advance 1d", "diagnose other_road",
)  # fmt: skip


def test_the_same_commands_lead_to_the_same_state(begin: Begin) -> None:
    first, second = begin(), begin()
    for line in WAY:
        first.give(line)
    second.replay(first.steps)
    assert second.steps == first.steps
    assert second.duty.digest() == first.duty.digest()
    assert first.duty.lifecycle.champion == 2 and first.duty.stack.workers == 6


def test_another_seed_is_another_world(begin: Begin) -> None:
    assert begin(1).duty.digest() != begin(2).duty.digest()


def test_a_session_that_was_changed_is_not_taken_up(begin: Begin) -> None:
    session = begin()
    steps = [session.give(line) for line in ("advance 6h", "do threshold block=0.5", "advance 6h")]
    forged = [steps[0], replace(steps[1], command="do threshold block=0.1"), steps[2]]
    with pytest.raises(SandboxError, match="another state than before"):
        begin().replay(forged)
    with pytest.raises(SandboxError, match="unknown action"):
        begin().replay([replace(steps[0], command="do nothing")])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("jump", "unknown command; got 'jump'"),
        ("advance", "not a duration"),
        ("advance 5h", "multiple of 6h"),
        ("advance -1d", "not a duration"),
        ("look everything", "unknown panel"),
        ("look sample", "Did you mean samples"),
        ("do dance", "unknown action"),
        ("do threshold block=3", "not a threshold"),
        ("do page who=police", "nobody of that name"),
        ("do page", "nobody named"),
        ("do retrain imbalance=magic", "imbalance"),
        ("do rule where=weight>3", "not a rule"),
        ("do rule where='weigth_kg > 3' then=block", "unknown column"),
        ("do shed share=1", "not a share"),
        ("do workers count=0", "not a number of workers"),
        ("do quarantine field=weight_kg", "may be missing"),
        ("diagnose boredom", "unknown cause"),
        ("hint please", "hint takes nothing"),
    ],
)
def test_a_mistake_changes_nothing(begin: Begin, line: str, said: str) -> None:
    session = begin()
    before = session.duty.digest()
    with pytest.raises(UsageError, match=said):
        session.give(line)
    assert session.steps == [] and session.duty.digest() == before


def test_money_and_time_run_out(begin: Begin) -> None:
    session = begin()
    session.give("do page who=depot")
    session.give("do page who=shops")
    with pytest.raises(UsageError, match="money for acting is used up"):
        session.give("do retrain")
    assert "6d passed" in session.give("advance 30d").said
    assert session.duty.left == 0
    for line in ("advance 6h", "do promote"):
        with pytest.raises(UsageError, match="time is up"):
            session.give(line)
    session.give("diagnose other_road")
    session.give("grade")
    with pytest.raises(UsageError, match="drill is over"):
        session.give("hint")
    assert session.give("look money").said == "looked"


def test_hints_know_the_state_and_come_once(begin: Begin) -> None:
    session = begin()
    assert session.give("hint").said == "Look at single parcels."
    assert session.give("hint").said.startswith("nothing more")
    session.give("do page who=depot")
    assert session.give("hint").said.startswith("nothing more")
    session.give("advance 1d")
    assert session.give("hint").said == "What did the depot say?"
    assert session.hints_given == 2


@pytest.mark.parametrize(
    "text", ["elapsed", "elapsed > soon", "looked samples", "did()", "x and y"]
)
def test_conditions_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="unreadable condition"):
        Condition.parse(text, "hints[0].when")


def test_no_panel_shows_what_is_not_known_yet(begin: Begin) -> None:
    """Turn every unknown truth around: nothing that an engineer sees may change."""
    honest, other = begin(), begin()
    for session in (honest, other):
        session.give("advance 1d")
        session.give("do retrain")
        session.give("advance 1d")
    log = other.duty.service.log
    epoch = other.duty.prepared.scenario.start_time + other.duty.now
    unknown = (log.column("label_time") > epoch) | log.column("hidden")
    assert unknown.sum() > 20
    label = log.column("label")
    label[unknown] = 1.0 - label[unknown]
    log.column("cost_missed")[unknown] *= 7.0
    log.column("mechanism")[:] = 0
    oracle = other.duty.metrics
    for metric in oracle.metrics():
        if "oracle" in oracle.names(metric):
            oracle.add(other.duty.now, metric, 0.0, "oracle")
    for name in PANELS:
        assert panel(other.duty, name) == panel(honest.duty, name), name
    label[:] = 1.0 - label
    assert panel(other.duty, "samples") != panel(honest.duty, "samples"), (
        "it shows no labels at all"
    )


def test_a_refused_good_event_is_known_at_once_and_nothing_else(begin: Begin) -> None:
    session = begin()
    session.give("do threshold block=0.05")
    session.give("advance 1d")
    shown = {row[0]: row[-1] for row in panel(session.duty, "money").tables[0].rows}
    assert float(shown["refused"].replace(",", "")) > 0


def test_players_play_to_the_end(roots: tuple[Path, ...]) -> None:
    loaded = load_drill(NAME, roots)
    for player in (nobody, retrainer, tightener):
        played = play(loaded, 1, roots, player)
        assert played.session.over and len(played.outcome.daily) == 6
    assert played.outcome.good_blocked > 0


def test_a_grade_says_what_was_reached(begin: Begin, roots: tuple[Path, ...]) -> None:
    session = begin()
    for line in ("look samples", "diagnose bad_data", "advance 1d", "diagnose other_road", "grade"):
        session.give(line)
    told: list[str] = []
    result = grade(session, told.append)
    assert result.passed and len(told) == 2
    assert result.measures["diagnosed_within"] == 86400.0
    assert result.measures["wrong_diagnoses"] == 1
    assert result.points["diagnosis"] == 20.0
    late, never = result.signs
    assert late.looked == 0.0 and np.isnan(never.visible)
    best = play(session.loaded, 1, roots, nobody)
    assert grade(best.session, nothing=best, reference=best).score < result.score


def test_who_does_not_pass_stays_below(begin: Begin) -> None:
    session = begin()
    for line in ("diagnose other_road", "do page who=shops", "grade"):
        session.give(line)
    result = grade(session)
    assert not result.passed and result.score <= 59
    assert [one.name for one in result.criteria if not one.passed] == ["false_pages"]


def test_mitigation_is_when_the_losses_to_come_are_near_the_best() -> None:
    def lost(*daily: float) -> Outcome:
        return Outcome(daily, 0.0, 0.0, 0, 1.0, (), (), 0, 0.0)

    idle, best = lost(*[100.0] * 8), lost(100, 20, 20, 20, 20, 20, 20, 20)
    assert mitigated_at(best, idle, best) == 0.0
    assert mitigated_at(lost(*[100.0] * 3, *[20.0] * 5), idle, best) == 2 * 86400.0
    assert np.isnan(mitigated_at(idle, idle, best))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("diagnosis: other_road", "diagnosis: other_raod"),
            "unknown cause.*Did you mean other_road",
        ),
        (("diagnosed_within:", "diagnosed:"), "unknown measure"),
        (("incident: no-train", "incident: no-trian"), "unknown incident.*Did you mean no-train"),
        (("to: 0.9", "to: high"), "cannot be changed"),
        (("do page who=depot", "do page who=nobody"), "nobody of that name"),
        (("advance 1d", "advance 1h"), "not a duration"),
        (("not looked(samples)", "looked at samples"), "unreadable condition"),
        (("start: 8d", "start: 8h"), "multiple of 6h"),
        (("level: easy", "level: simple"), "level"),
        (("at_most: 3d", "at_most: soon"), "pass.diagnosed_within"),
        (("metric: psi(score), above: 1000", "metric: psi(score)"), "expected `metric` with one"),
        (("title: Grumbling", "titel: Grumbling"), "titel"),
    ],
)
def test_a_wrong_drill_file_is_named_with_line_and_key(
    roots: tuple[Path, ...], tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    own = tmp_path / "parcels"
    own.mkdir()
    for file in (roots[0] / "parcels").iterdir():
        if file.is_file():
            (own / file.name).write_bytes(file.read_bytes())
    assert change[0] in DRILL
    write_drills(own, DRILL.replace(*change))
    with pytest.raises(UsageError, match=said) as caught:
        load_drill(NAME, (tmp_path,))
    assert "grumbling.yaml" in caught.value.line()
