"""The end of a run in the terminal: verdict, incidents, model versions, where the files are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sandbox.record import ObjectiveResult, RunRecord
from sandbox.report.facts import incident_facts, result_word, verdict_sentence
from sandbox.report.numbers import DASH, day, money, words
from sandbox.task import get_task

__all__ = ["print_comparison", "print_files", "print_incidents", "print_verdict"]

STYLES = {"good": "green", "bad": "red", "muted": "dim"}
WIDE = 96


def print_verdict(record: RunRecord, console: Console) -> None:
    """Print the verdict: one sentence, then a table that fits the console."""
    if not record.complete:
        console.print(Text("Partial run: stopped before its end.", style="yellow"))
    console.print(Text(verdict_sentence(record), style="bold"))
    if record.objectives:
        console.print(_verdict_table(record, wide=console.width >= WIDE))
    for line in _totals(record):
        console.print(Text(line))


def _verdict_table(record: RunRecord, *, wide: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for name in ("objective", "target"):
        table.add_column(name, overflow="fold")
    table.add_column("measured", justify="right", overflow="fold")
    table.add_column("result", no_wrap=True)
    if wide:
        table.add_column("evidence", overflow="fold", style="dim")
    for result in record.objectives:
        symbol, word, colour = result_word(result)
        cells = [Text(words(result.name)), Text(result.target), Text(result.shown),
                 Text(f"{symbol} {word}", style=STYLES[colour])]  # fmt: skip
        table.add_row(*cells, *([Text(result.evidence)] if wide else []))
    return table


def _totals(record: RunRecord) -> list[str]:
    lines = []
    total, without = record.money.get("total"), record.money.get("no_model")
    if total is not None:
        task = get_task(record.task)
        kinds = [f"{task.name_loss(k)} {money(v)}" for k, v in record.money.items()
                 if k not in ("total", "no_model")]  # fmt: skip
        line = f"Lost {money(total)}" + (f" ({', '.join(kinds)})" if kinds else "")
        if without:
            line += f"; {task.without_model} would have cost {money(without)}"
        lines.append(line)
    live = [v for v in record.versions if v.promoted_day]
    for version in live:
        text = f"v{version.version} took over on {day(version.promoted_day)} ({version.trigger})"
        if version.bought is not None:
            text += f"; it bought {version.bought:+.3f} {words(record.primary)}"
        lines.append(text + (", and was rolled back" if version.rolled_back else ""))
    lines += [f"By hand: {one.text}: {one.outcome}" for one in record.interventions]
    return lines


def print_incidents(record: RunRecord, console: Console) -> None:
    """Print each incident: what it did, who noticed, what was learnt."""
    for incident in record.incidents:
        when, *facts = incident_facts(incident, record.primary)
        head = Text(words(incident.name), style="bold")
        console.print(head.append(f"  {incident.kind}, {when[1]}", style="not bold dim"))
        said = "; ".join(f"{label} {text}" for label, text in facts)
        for text in filter(None, (said, incident.lesson)):
            console.print(Padding(Text(text), (0, 0, 0, 2)))


def print_files(directory: Path, names: Sequence[str], console: Console) -> None:
    """Print where the results are; paths are never wrapped, so that they can be clicked."""
    console.print(Text("Written to ", style="dim").append(f"{directory}", style="not dim"),
                  soft_wrap=True)  # fmt: skip
    for name in names:
        console.print(Text(f"  {directory / name}"), soft_wrap=True)


def print_comparison(records: Sequence[RunRecord], sentence: str, console: Console) -> None:
    """Print several verdicts side by side.

    Parameters
    ----------
    sentence
        What the comparison comes to; see `sandbox.report.compare.compare_sentence`.
    """
    console.print(Text(sentence, style="bold"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    table.add_column("objective", overflow="fold")
    for record in records:
        table.add_column(Text(record.design), overflow="fold")
    for name in dict.fromkeys(o.name for record in records for o in record.objectives):
        cells = [Text(words(name))]
        for record in records:
            found = [o for o in record.objectives if o.name == name]
            cells.append(_cell(found[0]) if found else Text(DASH, style="dim"))
        table.add_row(*cells)
    task = get_task(records[0].task)
    for kind in dict.fromkeys(kind for record in records for kind in record.money):
        amounts = [Text(money(record.money.get(kind))) for record in records]
        table.add_row(Text(f"money: {task.name_loss(kind)}"), *amounts)
    console.print(table)


def _cell(result: ObjectiveResult) -> Text:
    symbol, word, colour = result_word(result)
    return Text(f"{result.shown}  ").append(f"{symbol} {word}", style=STYLES[colour])
