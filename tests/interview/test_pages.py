"""The sheet, the diagram, the history, and weighing, on results at hand."""

from __future__ import annotations

from sandbox.interview.content import Loaded
from sandbox.interview.diagram import terminal_flow
from sandbox.interview.history import progress_by_stage
from sandbox.interview.notes import Setup
from sandbox.interview.sheet import study_sheet
from sandbox.interview.weigh import weigh_decisions
from tests.interview.test_session import held


def test_the_sheet_has_everything_a_level_is_asked(loaded: Loaded) -> None:
    junior, staff = study_sheet(loaded, "junior"), study_sheet(loaded, "staff")
    assert len(junior) < len(staff) and "{" not in staff
    assert "Score in shadow on the same payments" in staff and "experiment" not in junior
    assert "| fraud share | 0.5 % | reckoned: scenario.world.fraud_share |" in staff
    assert "Fraud Detection Handbook" in staff
    for question in loaded.walkthrough.questions.values():
        assert question.ask in staff


def test_the_diagram_of_a_terminal() -> None:
    text = terminal_flow("flowchart LR\n a[Shop] -->|orders| b[Log]\n b --> c[Desk]", 60)
    assert text.splitlines() == ["Shop ──orders──▶ Log", "Log  ──▶ Desk"]
    assert all(len(line) <= 24 for line in terminal_flow("flowchart LR\n a[" + "x" * 90 +
                                                        "] --> b", 10).splitlines())  # fmt: skip
    assert terminal_flow("flowchart LR", 60) == "(nothing is drawn yet)"


def test_progress_by_stage_and_level() -> None:
    held_before = [
        {"level": "senior", "stages": {"clarify": 40.0, "model": 10.0}},
        {"level": "senior", "stages": {"clarify": 80.0}},
        {"level": "junior", "stages": {"clarify": 5.0}},
    ]
    rows = progress_by_stage(held_before)
    assert [(r["level"], r["stage"], r["times"]) for r in rows] == [
        ("junior", "Clarify and scope", 1), ("senior", "Clarify and scope", 2),
        ("senior", "Talk through the model", 1),
    ]  # fmt: skip
    assert rows[1]["best"] == rows[1]["last"] == 80


def test_decisions_weigh_by_what_they_are_worth(loaded: Loaded) -> None:
    best, worst = weigh_decisions(held(loaded, "weak").notes)
    assert len(best) <= 3 and len(worst) == 3
    assert all(one.worth == 1 for one in best) and all(one.worth < 0.75 for one in worst)
    assert all(one.better for one in worst)
    best, worst = weigh_decisions(held(loaded, "staff", Setup("staff")).notes)
    assert len(best) == 3 and worst == []
    assert all("the reference" in text for one in best for text in one.evidence)
