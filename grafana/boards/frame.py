"""Frame: an empty dashboard, its links, and where its panels stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from boards.panels import Panel, Query, lines, reads
from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    GridPos,
)

__all__ = ["RUNBOOKS", "Cell", "frame", "graph", "laid_out"]

COLUMNS = 24
TAG, RUNBOOKS = "ml-design-sandbox", "runbook"


@dataclass(frozen=True)
class Cell:
    """A panel and the room it takes."""

    panel: Panel
    width: int = 12
    height: int = 8


def graph(
    title: str, about: str, unit: str, *queries: Query, alerts: Sequence[str] = (),
    width: int = 12, stack: bool = False,
) -> Cell:  # fmt: skip
    """Return a panel of lines in its place, linked to the runbooks of its alerts."""
    return Cell(reads(lines(title, about, unit, *queries, stack=stack), *alerts), width)


def frame(title: str, uid: str, about: str, since: str) -> dashboard.Dashboard:
    """Return an empty dashboard with links to the others."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(about)
        .tags([TAG])
        .timezone("utc")
        .time(since, "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
        .link(_tagged("Dashboards", TAG, dropdown=False))
        .link(_tagged("Runbooks", RUNBOOKS, dropdown=True))
    )


def _tagged(title: str, tag: str, *, dropdown: bool) -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink(title)
        .type(DashboardLinkType.DASHBOARDS)
        .icon("external link")
        .tags([tag])
        .as_dropdown(dropdown)
        .include_vars(False)
        .keep_time(False)
    )


def laid_out(built: dashboard.Dashboard, rows: Mapping[str, Sequence[Cell]]) -> dashboard.Dashboard:
    """Put rows of panels one below the other, from left to right while there is room."""
    top, number = 0, 1
    for title, cells in rows.items():
        row = dashboard.Row(title).id(number)
        built.with_row(row.grid_pos(GridPos(h=1, w=COLUMNS, x=0, y=top)))
        top, number = top + 1, number + 1
        across, tallest = 0, 0
        for cell in cells:
            if across + cell.width > COLUMNS:
                top, across, tallest = top + tallest, 0, 0
            place = GridPos(h=cell.height, w=cell.width, x=across, y=top)
            built.with_panel(cell.panel.id(number).grid_pos(place))
            number += 1
            across, tallest = across + cell.width, max(tallest, cell.height)
        top += tallest
    return built
