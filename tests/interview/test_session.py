"""The session: a list of answers that always leads to the same place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import SandboxError, UsageError
from sandbox.interview.content import Loaded
from sandbox.interview.notes import Setup
from sandbox.interview.prompts import DONE, SKIP, Work
from sandbox.interview.score import score
from sandbox.interview.script import Script, follow, load_script
from sandbox.interview.session import Answer, Session
from sandbox.spec.answers import Answers
from tests.interview.conftest import CANDIDATES, found_nothing


def held(loaded: Loaded, name: str, setup: Setup | None = None) -> Session:
    session = Session(loaded, setup or Setup("senior"), found_nothing)
    script = load_script(CANDIDATES / loaded.name / f"{name}.yaml", loaded)
    follow(session, script, session.give, session.do_work, lambda told: None)
    return session


def prompts(session: Session) -> Iterator[str]:
    """Go through an interview without an answer to anything, and yield what is asked."""
    while not session.over:
        if session.waiting is not None:
            session.do_work()
        else:
            assert session.prompt is not None
            yield session.prompt.name
            session.give(DONE if session.prompt.kind == "question" else SKIP, session.spent)


def test_the_four_stages_in_order(loaded: Loaded) -> None:
    session = held(loaded, "staff")
    titles = [one.text for one in session.told if one.kind == "title"]
    assert [t[0] for t in titles[1:]] == ["1", "2", "3", "4"]
    assert session.over and session.prompt is None


def test_the_same_answers_lead_to_the_same_place(loaded: Loaded) -> None:
    first = held(loaded, "good")
    again = Session(loaded, first.setup, found_nothing)
    again.replay(first.answers)
    if again.waiting is not None:
        again.do_work()
    assert again.told == first.told
    assert score(again.notes) == score(first.notes)
    assert again.notes.assembly.digest() == first.notes.assembly.digest()


def test_work_that_was_kept_is_not_done_again(loaded: Loaded) -> None:
    first = held(loaded, "good")

    def nobody(work: Work) -> Mapping[str, Any]:
        raise AssertionError(work.name)

    again = Session(loaded, first.setup, nobody, first.work)
    again.replay(first.answers)
    assert again.over


def test_answers_to_other_questions_are_refused(loaded: Loaded) -> None:
    session = Session(loaded, Setup(), found_nothing)
    with pytest.raises(SandboxError, match="asks something else"):
        session.replay([Answer("peak_rate", "12", 1.0)])


def test_skipping_everything_comes_to_an_end_with_no_points(loaded: Loaded) -> None:
    session = Session(loaded, Setup("staff"), found_nothing)
    asked = list(prompts(session))
    assert len(asked) == len(set(asked)) > 60
    points = score(session.notes)
    assert points.stages["clarify"] == points.stages["data_flow"] == 0


@given(st.text(max_size=60))
def test_junk_is_refused_or_kept_and_never_breaks(loaded: Loaded, text: str) -> None:
    session = Session(loaded, Setup(), found_nothing)
    for _ in range(3):
        before = list(session.answers)
        try:
            session.give(text, 1.0)
        except UsageError as error:
            assert session.answers == before and "\n" not in error.line()
        else:
            assert len(session.answers) == len(before) + 1


@pytest.mark.parametrize("text", ["", "   ", "\x00\x07", "a" * 5000])
def test_no_answer_at_all(loaded: Loaded, text: str) -> None:
    session = Session(loaded, Setup(), found_nothing)
    with pytest.raises(UsageError, match=r"no answer|too long"):
        session.give(text, 1.0)
    assert session.answers == []


@pytest.mark.parametrize(
    ("name", "junk", "message"),
    [("peak_rate", "many", "not understood.*3.4k/s"), ("path", "9", "no such option.*1 to 3"),
     ("path", "qqq", "one of log, collect, single"), ("self_clarify", "6", "1 to 5")],
)  # fmt: skip
def test_junk_says_what_would_do(loaded: Loaded, name: str, junk: str, message: str) -> None:
    session = Session(loaded, Setup(), found_nothing)
    for asked in prompts(session):
        if asked == name:
            with pytest.raises(UsageError, match=message):
                session.give(junk, 1.0)
            return
    raise AssertionError("never asked")


def test_the_clock_never_runs_backwards(loaded: Loaded) -> None:
    session = Session(loaded, Setup(), found_nothing)
    session.give("How fast?", 60.0)
    session.give("How rare is fraud?", 5.0)
    assert session.spent == 60.0


def test_an_exam_says_nothing_and_ends_with_its_time(loaded: Loaded) -> None:
    exam = held(loaded, "good", Setup("senior", 45.0, "exam"))
    normal, study = held(loaded, "good"), held(loaded, "good", Setup("senior", 45.0, "study"))
    told = {name: sum(len(t.text) for t in s.told)
            for name, s in (("exam", exam), ("normal", normal), ("study", study))}  # fmt: skip
    assert told["exam"] < told["normal"] < told["study"]
    assert not any("I get" in one.text for one in exam.told)
    late = Session(loaded, Setup("senior", 1.0, "exam"), found_nothing)
    late.give("How fast must we answer?", 61.0)
    assert late.time_up
    late.give("How rare is fraud?", 62.0)
    assert late.answers[-1].text == DONE and late.notes.asked == ["latency"]
    late.give("173M", 63.0)
    assert late.answers[-1].text == SKIP


def test_levels_ask_more(loaded: Loaded) -> None:
    asked = {
        level: set(prompts(Session(loaded, Setup(level), found_nothing)))
        for level in ("junior", "senior", "staff")
    }
    assert asked["junior"] < asked["senior"] < asked["staff"]
    assert {"experiment", "systemic", "corrected_score"} <= asked["staff"] - asked["senior"]


def test_a_question_typed_with_errors_is_recognised(loaded: Loaded) -> None:
    session = Session(loaded, Setup(), found_nothing)
    session.give("whats the latencey requirment", 1.0)
    session.give("when do chargbacks arrive?", 2.0)
    session.give("would you like some tea", 3.0)
    assert session.notes.asked == ["latency", "labels"]
    assert session.notes.unrecognised == ["would you like some tea"]
    session.give("latency again", 4.0)
    assert session.told[-1].text.startswith("We had that.")


def test_a_script_that_answers_what_nobody_asks(loaded: Loaded, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("answers: {peek_rate: 3k/s}\n")
    with pytest.raises(UsageError, match=r"nobody asks this.*Did you mean peak_rate"):
        load_script(file, loaded)
    file.write_text("self: {stage: 3}\n")
    with pytest.raises(UsageError, match="one of clarify"):
        load_script(file, loaded)


def test_an_empty_script_skips_everything(loaded: Loaded) -> None:
    session = Session(loaded, Setup("junior"), found_nothing)
    script = Script(Answers())
    follow(session, script, session.give, session.do_work, lambda told: None)
    assert session.over and session.notes.asked == []
    assert {answer.text for answer in session.answers} == {DONE, SKIP}
