"""How a drill is shown in the terminal: panels, status and answers."""

from __future__ import annotations

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from sandbox.drills.panels import alert_lines, panel
from sandbox.drills.session import Session
from sandbox.drills.table import Panel, PanelTable
from sandbox.report.numbers import money
from sandbox.run.setup import DAY
from sandbox.spec.drill import PANELS
from sandbox.spec.units import format_duration

__all__ = [
    "panels_of",
    "print_panels",
    "render_panel",
    "render_status",
    "status",
    "status_line",
]

WORTH_READING = 3 * DAY


def status(session: Session) -> dict[str, object]:
    """Return where a session stands, for machines."""
    duty = session.duty
    return {
        "drill": session.loaded.id,
        "seed": session.seed,
        "elapsed": duty.elapsed,
        "left": duty.left,
        "spent": duty.price,
        "budget": duty.drill.budget.money,
        "alerts": alert_lines(duty, duty.now - WORTH_READING),
        "versions": duty.lifecycle.describe(),
        "over": session.over,
    }


def status_line(session: Session) -> str:
    """Return where a session stands, in a line."""
    duty = session.duty
    left = format_duration(duty.left) if duty.left > 0 else "no time"
    return (
        f"{session.loaded.id} · seed {session.seed} · "
        f"{format_duration(duty.elapsed) if duty.elapsed else 'just arrived'}, {left} left · "
        f"{money(duty.price)} of {money(duty.drill.budget.money)} spent"
    )


def render_status(session: Session) -> RenderableType:
    """Return the status with the newest alerts."""
    lines = [Text(status_line(session), style="bold")]
    alerts = alert_lines(session.duty, session.duty.now - WORTH_READING)
    lines += [Text("  alert  " + text, style="yellow") for text in alerts[-4:]]
    if not alerts:
        lines.append(Text("  no alert in the last three days", style="dim"))
    return Group(*lines)


def render_panel(shown: Panel) -> RenderableType:
    """Return a panel as tables and facts."""
    parts: list[RenderableType] = []
    for table in shown.tables:
        parts += [_table(table), Text("")]
    parts += [Text("  " + fact, style="dim") for fact in shown.facts]
    return Group(*parts)


def panels_of(session: Session, name: str) -> list[Panel]:
    """Return one panel, or all of them where none is named."""
    return [panel(session.duty, one) for one in ((name,) if name else PANELS)]


def print_panels(session: Session, name: str, console: Console) -> None:
    """Print one panel, or all of them."""
    for shown in panels_of(session, name):
        if not name:
            console.rule(shown.name, align="left", style="dim")
        console.print(render_panel(shown))


def _table(table: PanelTable) -> Table:
    out = Table(
        title=table.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
        pad_edge=False, header_style="dim", padding=(0, 1),
    )  # fmt: skip
    for place, column in enumerate(table.columns):
        left = place == 0 or not _numeric(table, place)
        out.add_column(column, justify="left" if left else "right", overflow="fold")
    for row in table.rows:
        out.add_row(*(Text(cell) for cell in row))
    return out


def _numeric(table: PanelTable, place: int) -> bool:
    cells = [row[place] for row in table.rows if row[place]]
    return all(cell[0] in "+-0123456789\N{EN DASH}." for cell in cells)
