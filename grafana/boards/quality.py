"""Quality of whatever is learned: no dashboard knows a task, all of them ask ``sandbox_task_info``.

The task's first metric has a panel of its own. One more panel repeats itself for every other metric
that there is, so that nothing is drawn of what a task does not have.
"""

from __future__ import annotations

from collections.abc import Callable

from boards.frame import Cell
from boards.panels import SOURCE, Panel, Query, reads
from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import (
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

__all__ = ["BAD_EVENTS", "VIEWS", "measured", "quality_panels", "quality_variables"]

VIEWS = (
    "Oracle: the simulator knows. Observed: labels that have arrived, about a window that ended a "
    "maturity ago. Estimated: no labels, blind to concept drift."
)
BAD_EVENTS = "Bad events: $bad", "Share of events that are bad; docs/tasks.md says which are."
"""Title and description of a panel."""
UNIT = "A number without a unit; only an error such as mae has that of the label."
"""Why panels of quality are in plain numbers: R2 may be negative, and log loss is no share."""
WORDS = ("primary", "bad", "good", "baseline", "without_model")
ACROSS = 4
"""Most panels side by side."""


def quality_variables(chosen: str) -> list[dashboard.QueryVariable]:
    """Return the words of the task, which nobody chooses, and a choice of its metrics.

    Parameters
    ----------
    chosen
        Labels that pick the system or the run.
    """
    quality = f'{{__name__=~"sandbox_model_quality_(ratio|value)",{chosen},metric!="$primary"}}'
    asked = [
        _variable(word, f"sandbox_task_info{{{chosen}}}", word).hide(VariableHide.HIDE_VARIABLE)
        for word in WORDS
    ]
    every = VariableOption(selected=True, text="All", value="$__all")
    more = _variable("quality", quality, "metric").label("More quality").multi(True)
    return [*asked, more.include_all(True).current(every).sort(VariableSort.ALPHABETICAL_ASC)]


def measured(ask: Callable[[str], str], thing: str) -> str:
    """Return the query for a measure that may have the unit of the label, or none.

    Parameters
    ----------
    ask
        From the name of a metric to a query.

    Examples
    --------
    >>> measured("sandbox_{}".format, "model_quality")
    'sandbox_model_quality_ratio or sandbox_model_quality_value'
    """
    return f"{ask(f'{thing}_ratio')} or {ask(f'{thing}_value')}"


def quality_panels(
    drawn: Callable[[str, str, str, Query], Panel], asked: Callable[[str], str], about: str,
    beside: Panel, *alerts: str,
) -> list[Cell]:  # fmt: skip
    """Return the panels of a task's metrics, the first one beside a panel about something else.

    Parameters
    ----------
    drawn
        From title, description, unit and query to a panel of lines.
    asked
        From the labels that pick a metric to an expression with the label ``view``.
    about
        Description.
    alerts
        Whose runbooks the panels lead to.
    """

    def panel(variable: str) -> Panel:
        query = asked(f'metric=~"${variable}"'), "{{view}}"
        return reads(drawn(f"${variable}", f"{about} {UNIT}", "short", query), *alerts)

    others = panel("quality").repeat("quality").repeat_direction("h").max_per_row(ACROSS)
    return [Cell(panel("primary")), Cell(beside), Cell(others, 24)]


def _variable(name: str, series: str, label: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .datasource(SOURCE)
        .query(f"label_values({series}, {label})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )
