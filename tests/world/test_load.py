from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sandbox.errors import UsageError
from sandbox.world import Catalogue, build_world, load_world_class

WORLD = """
from __future__ import annotations
from sandbox.batch import Batch
from sandbox.world import Share, Spec, World

class Params(Spec):
    share: Share = 0.5
    people: int = 3

class Small(World):
    Params = Params
    def __init__(self, params, rng):
        self.params = params
        self.first = rng.random()
    def events(self, event_time, knobs, rng):
        return Batch({"event_time": event_time})
"""


def folder(root: Path, name: str = "small", world: str | None = WORLD) -> Path:
    place = root / name
    place.mkdir(parents=True)
    (place / "scenario.yaml").write_text("title: x\n")
    if world is not None:
        (place / "world.py").write_text(world)
    return place


def test_the_catalogue_knows_scenarios_and_the_first_root_wins(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    folder(mine, "b"), folder(theirs, "b"), folder(theirs, "a")
    (theirs / "no scenario").mkdir()
    catalogue = Catalogue([mine, theirs, tmp_path / "nowhere"])
    assert catalogue.names() == ("a", "b")
    assert catalogue.folder("b") == mine / "b"
    with pytest.raises(UsageError, match="unknown scenario; got 'c', expected one of a, b"):
        catalogue.folder("c")


def test_an_empty_catalogue_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"Looked in {tmp_path}"):
        Catalogue([tmp_path]).folder("x")


def test_a_world_is_found_and_built(tmp_path: Path) -> None:
    cls = load_world_class(folder(tmp_path))
    world = build_world(cls, {"share": "10%"}, np.random.default_rng(1))
    assert (cls.__name__, world.params.share, world.params.people) == ("Small", 0.1, 3)  # type: ignore[attr-defined]
    assert world.first == np.random.default_rng(1).random()  # type: ignore[attr-defined]


def test_worlds_of_one_name_do_not_mix(tmp_path: Path) -> None:
    one = load_world_class(folder(tmp_path / "1"))
    two = load_world_class(folder(tmp_path / "2", world=WORLD.replace("Small", "Other")))
    assert (one.__name__, two.__name__) == ("Small", "Other")
    assert one.__module__ != two.__module__


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    place = folder(tmp_path)
    load_world_class(place)
    (place / "world.py").write_text(WORLD.replace("people: int = 3", "people: int = 4444"))
    assert load_world_class(place).Params().people == 4444  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"pepole": 3}, "s.yaml world.pepole: unknown parameter; got 'pepole', expected one of "
         "share, people. Did you mean people?"),
        ({"share": 3}, "s.yaml world.share: impossible value; got 3, expected a share from 0 to 1"),
        ({"people": "many"}, "s.yaml world.people: impossible value; got 'many', expected"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_named(
    tmp_path: Path, params: dict[str, object], message: str
) -> None:
    cls = load_world_class(folder(tmp_path))
    with pytest.raises(UsageError) as caught:
        build_world(cls, params, np.random.default_rng(0), "s.yaml")
    assert caught.value.line().startswith(message)


@pytest.mark.parametrize(
    ("world", "message"),
    [
        (None, "world.py: no world; expected a file world.py"),
        ("x = (", "world.py:1: world.py does not import: SyntaxError"),
        ("\n\nimport nothing_like_it", "world.py:3: world.py does not import: ModuleNotFoundError"),
        ("x = 1\ny = x / 0", "world.py:2: world.py does not import: ZeroDivisionError"),
        ("x = 1", "world.py: world not clear; got 'no complete subclass of World'"),
        ("from sandbox.world import World", "world not clear; got 'no complete subclass"),
        (WORLD.replace("def events", "def event"), "got 'no complete subclass of World'"),
        (WORLD + "\nclass Again(Small):\n    pass\n", "world not clear; got 'Small, Again'"),
        (WORLD.replace("Params = Params", ""), "Small declares no parameters"),
    ],
)
def test_a_broken_world_is_one_line(tmp_path: Path, world: str | None, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_world_class(folder(tmp_path, world=world))
    assert message in caught.value.line()
    assert "\n" not in caught.value.line()
