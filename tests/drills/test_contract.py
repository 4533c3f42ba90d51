"""Every drill keeps its contract: idling fails, the reference passes, every wrong remedy fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.drills.catalogue import drill_names, load_drill
from sandbox.drills.contract import check_drill
from tests.drills.conftest import DRILL, NAME, write_drills

ROOTS = (Path(__file__).parents[2] / "scenarios",)
DRILLS = drill_names(ROOTS)


@pytest.mark.parametrize("name", DRILLS)
def test_a_drill_keeps_its_contract(name: str) -> None:
    broken = [one for one in check_drill(load_drill(name, ROOTS), 1, ROOTS) if not one.kept]
    assert not broken


def test_there_are_enough_drills_at_every_level() -> None:
    levels = [load_drill(name, ROOTS).drill.level for name in DRILLS]
    assert len(DRILLS) >= 12
    assert min(levels.count(level) for level in ("easy", "medium", "hard")) >= 4


@pytest.mark.parametrize("name", DRILLS)
def test_names_and_titles_give_nothing_away(name: str) -> None:
    loaded = load_drill(name, ROOTS)
    shown = f"{name} {loaded.drill.title}".lower()
    told = {*loaded.drill.diagnosis.split("_"), *(h.incident for h in loaded.drill.hidden)}
    assert not told & set(shown.replace("/", " ").replace("-", " ").split())


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (("at_most: 0}}", "at_least: 1}}"), "the solution passes"),
        (("do page who=shops", "do page who=depot"), "it fails to wake all"),
        (("after: 1d, say", "metric: psi(score), above: 900, say"), "evidence can be seen"),
        (("start: 8d", 'start: 8d\nbefore: ["promote@7d"]'), "what was done before took effect"),
    ],
)
def test_a_drill_that_breaks_a_promise_is_found_out(
    roots: tuple[Path, ...], tmp_path: Path, change: tuple[str, str], broken: str
) -> None:
    own = tmp_path / "own" / "parcels"
    own.mkdir(parents=True)
    for file in (roots[0] / "parcels").iterdir():
        if file.is_file():
            (own / file.name).write_bytes(file.read_bytes())
    assert change[0] in DRILL
    write_drills(own, DRILL.replace(*change))
    mine = (tmp_path / "own",)
    found = [one.name for one in check_drill(load_drill(NAME, mine), 1, mine) if not one.kept]
    assert broken in found


def test_the_small_drill_keeps_them_all(roots: tuple[Path, ...]) -> None:
    promises = list(check_drill(load_drill(NAME, roots), 1, roots))
    assert all(one.kept for one in promises) and len(promises) == 6
