"""Progress of work that takes seconds: a bar on a terminal, a plain line a step elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["telling"]


@contextmanager
def telling(
    quiet: bool,
) -> Iterator[tuple[Callable[[str], None], Callable[[float], None]]]:
    """Yield what tells of steps and of progress on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    if quiet:
        yield (lambda text: None), (lambda share: None)
        return
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        yield (lambda text: console.print(text)), (lambda share: None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield (
            lambda text: bar.update(task, description=text, total=None),
            lambda share: bar.update(task, total=1.0, completed=share),
        )
