from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import OutputError, UsageError
from sandbox.run.scaffold import write_scenario
from sandbox.task import TASKS


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_template_that_is_filled(task: str, tmp_path: Path) -> None:
    folder = write_scenario("night-trains-2", task=task, into=tmp_path / "deep" / "er")
    assert folder == tmp_path / "deep" / "er" / "night-trains-2"
    texts = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(texts) == {"README.md", "world.py", "scenario.yaml", "design.yaml"}
    assert texts["README.md"].startswith("# Night trains 2\n")
    for text in texts.values():
        assert "{{name}}" not in text and "{{title}}" not in text and "{{task}}" not in text
    compile(texts["world.py"], "world.py", "exec")


@given(
    name=st.text(alphabet=string.printable, max_size=8).filter(
        lambda text: not (text.isascii() and text.replace("-", "").isalnum())
    )
)
def test_names_that_are_no_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not a name"):
        write_scenario(name, task="binary", into=Path("never-made"))
    assert not Path("never-made").exists()


@pytest.mark.parametrize(
    "name", ["../up", "a/b", "A", "1st", "a--b", "-a", "a-", "a_b", "", ".", "a\n", "a" * 61]
)
def test_other_names_that_are_none(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a name"):
        write_scenario(name, task="binary", into=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unknown_task_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"new --task: unknown task; got 'binry'.*mean binary\?"):
        write_scenario("x", task="binry", into=tmp_path)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        write_scenario("taken", task="binary", into=tmp_path)
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_path_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_scenario("x", task="binary", into=tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
