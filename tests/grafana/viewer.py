"""What Grafana does with a dashboard: ask for the values of variables, repeat panels, fill in."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

RATE_INTERVAL = {"__rate_interval": ["8s"]}
_ASKED = re.compile(r"label_values\((.+), (\w+)\)")

Values = Mapping[str, list[str]]


@dataclass(frozen=True)
class Shown:
    """A panel as somebody sees it."""

    title: str
    about: str
    queries: list[str]


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels that are no rows."""
    yield from (panel for panel in dashboard["panels"] if panel["type"] != "row")


def variables(dashboard: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return which series each variable asks for, and which label of them."""
    found = {}
    for one in dashboard["templating"]["list"]:
        asked = _ASKED.fullmatch(one["query"])
        assert asked is not None, one["query"]
        found[one["name"]] = asked[1], asked[2]
    return found


def values(url: str, dashboard: dict[str, Any], start: float, end: float) -> dict[str, list[str]]:
    """Return what each variable stands for: all values of one that has All, the first of others."""
    found: dict[str, list[str]] = {**RATE_INTERVAL}
    every = {one["name"] for one in dashboard["templating"]["list"] if one["includeAll"]}
    for name, (series, label) in variables(dashboard).items():
        asked = {"match[]": filled(series, found), "start": start, "end": end}
        at = f"{url}/api/v1/label/{label}/values?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(at, timeout=10) as answer:
            known = json.load(answer)["data"]
        found[name] = known if name in every else known[:1]
    return found


def filled(text: str, chosen: Values) -> str:
    """Return a text with the first value of each variable in its place; unknown ones are empty."""
    return re.sub(r"\$(\w+)", lambda found: next(iter(chosen.get(found[1], [])), ""), text)


def shown(dashboard: dict[str, Any], chosen: Values) -> Iterator[Shown]:
    """Yield every panel, once for each value that it repeats itself for."""
    for panel in panels(dashboard):
        over = panel.get("repeat", "")
        for value in chosen[over] if over else [""]:
            mine = {**chosen, over: [value]}
            texts = [panel["title"], panel.get("description", "")]
            asked = [target["expr"] for target in panel.get("targets", [])]
            title, about, *queries = (filled(text, mine) for text in [*texts, *asked])
            yield Shown(title, about, queries)
