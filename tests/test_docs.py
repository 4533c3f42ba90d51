from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_seeds_page_is_what_its_figures_give() -> None:
    seeds = load("seeds")
    rows = json.loads((ROOT / "docs" / "fraud-seeds.json").read_text())
    assert (ROOT / "docs" / "fraud-seeds.md").read_text() == seeds.render(rows)
    assert seeds.render([{**row, "lost": row["lost"] + 1} for row in rows]) != seeds.render(rows)


def test_links_of_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text()
    targets = [t for t in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in t]
    assert targets
    assert [t for t in targets if not (ROOT / t).exists()] == []


def test_the_readme_lists_every_scenario() -> None:
    text = (ROOT / "README.md").read_text()
    for file in (ROOT / "scenarios").glob("*/scenario.yaml"):
        assert f"`{file.parent.name}`" in text
