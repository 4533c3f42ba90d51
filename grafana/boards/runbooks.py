"""Runbooks as dashboards, so that an alert's link opens beside the graphs."""

from __future__ import annotations

import re
from pathlib import Path

from boards.frame import RUNBOOKS
from grafana_foundation_sdk.builders import dashboard, text
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, GridPos
from grafana_foundation_sdk.models.text import TextMode

__all__ = ["runbooks"]

_NAME = re.compile(r"^`(\w+)`:", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


def runbooks(folder: Path) -> dict[str, dashboard.Dashboard]:
    """Return a dashboard for each runbook of a folder, by name of its alert.

    Raises
    ------
    ValueError
        If a runbook does not begin with a title and the name of its alert.
    """
    texts = {file.name: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.md"))}
    alerts = {}
    for name, words in texts.items():
        found = _NAME.search(words)
        if found is None or not words.startswith("# "):
            raise ValueError(f"{name}: expected a title, then `NameOfAnAlert`: what it means")
        alerts[name] = found[1]
    return {alerts[name]: _page(alerts[name], words, alerts) for name, words in texts.items()}


def _page(alert: str, words: str, alerts: dict[str, str]) -> dashboard.Dashboard:
    def link(found: re.Match[str]) -> str:
        target = alerts.get(found[2])
        return f"[{found[1]}](/d/runbook-{target})" if target else found[1]

    title, _, body = words.removeprefix("# ").partition("\n")
    shown = text.Panel().title(title).mode(TextMode.MARKDOWN).content(_LINK.sub(link, body).strip())
    back = dashboard.DashboardLink("Live").url("/d/sandbox-live").icon("dashboard")
    return (
        dashboard.Dashboard(f"{alert}: {title[0].lower()}{title[1:]}")
        .uid(f"runbook-{alert}")
        .tags([RUNBOOKS])
        .timezone("utc")
        .readonly()
        .link(back.type(DashboardLinkType.LINK))
        .with_panel(shown.id(1).grid_pos(GridPos(h=26, w=24, x=0, y=0)))
    )
