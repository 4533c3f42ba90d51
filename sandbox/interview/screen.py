"""The interview on a terminal's screen: what was said, what is asked, and the keys that answer."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.text import Text

from sandbox.errors import UsageError
from sandbox.interview.diagram import terminal_flow
from sandbox.interview.prompts import Prompt, Tell
from sandbox.interview.session import Session
from sandbox.report.numbers import clip
from sandbox.spec.interview_terms import STAGES

__all__ = ["KEYS", "Screen"]

KEYS = "Enter answers  ↑↓ choose  PgUp PgDn scroll  skip hint diagram quit"
QUIT = ("quit", "exit", "q")
MOST_TYPED = 4000
STYLES = {"title": "bold", "say": "", "note": "dim", "diagram": "cyan", "error": "red"}
Give = Callable[[str], list[Tell]]


@dataclass
class Screen:
    """What is shown of an interview, and what was typed.

    Parameters
    ----------
    session
        The interview.
    give
        Gives an answer and keeps it.
    """

    session: Session
    give: Give
    leaving: bool = False
    typed: str = ""
    cursor: int = 0
    """The option that Enter takes."""
    scrolled: int = 0
    """Lines above the end of what was said."""
    told: list[Tell] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.told = list(self.session.told)

    def press(self, key: str) -> None:
        """React to a key: a character, or ``enter``, ``escape``, ``backspace``, ``up`` ..."""
        prompt = self.session.prompt
        options = tuple(prompt.options) if prompt else ()
        if key == "gone":
            self.leaving = True
        elif key in ("pageup", "pagedown"):
            self.scrolled = max(0, self.scrolled + (8 if key == "pageup" else -8))
        elif key in ("up", "down") and options:
            self.cursor = (self.cursor + (1 if key == "down" else -1)) % len(options)
        elif key == "escape":
            self.typed = ""
        elif key == "backspace":
            self.typed = self.typed[:-1]
        elif key == "enter":
            self._enter(prompt, options)
        elif len(key) == 1 and key.isprintable() and len(self.typed) < MOST_TYPED:
            self.typed += key

    def render(self, console: Console, clock: str) -> RenderableType:
        """Return the whole screen."""
        width, height = console.width, console.height
        asked = self._asked(width, max(4, height - 4))
        body = self._body(width, max(1, height - len(asked) - 3))
        head = self._head(width, clock)
        foot = Text(clip(KEYS, width), style="dim")
        return Group(head, *body, Text("─" * width, style="dim"), *asked, foot)

    def _enter(self, prompt: Prompt | None, options: Sequence[str]) -> None:
        text, self.typed, self.scrolled = self.typed.strip(), "", 0
        if text.lower() in QUIT:
            self.leaving = True
        elif text.lower() == "diagram":
            self.told.append(Tell(self.session.notes.assembly.mermaid(), "diagram"))
        elif text.lower() == "hint" and prompt is not None:
            none = self.session.setup.exam or not prompt.hint
            self.told.append(Tell("There are no hints here." if none else prompt.hint, "note"))
        elif prompt is not None:
            self._answer(text or (options[self.cursor] if options else ""))

    def _answer(self, text: str) -> None:
        try:
            told = self.give(text)
        except UsageError as error:
            self.told.append(Tell(error.line(), "error"))
            return
        self.cursor = 0
        self.told += [Tell(f"> {text}", "title"), *told]

    def _head(self, width: int, clock: str) -> Text:
        prompt = self.session.prompt
        name = self.session.loaded.scenario.title
        if prompt is not None:
            place = list(STAGES).index(prompt.stage) + 1
            name += f" · {place} of {len(STAGES)} {STAGES[prompt.stage]}"
        room = max(width - len(clock) - 1, 0)
        return Text(f"{clip(name, room):<{room}} {clock}"[:width], style="bold reverse")

    def _body(self, width: int, height: int) -> list[Text]:
        """Return the lines of what was said that fit, the newest at the bottom."""
        lines = [line for one in self.told for line in _lines(one, width)]
        self.scrolled = min(self.scrolled, max(0, len(lines) - height))
        end = len(lines) - self.scrolled
        shown = lines[max(0, end - height) : end]
        return [*(Text("") for _ in range(height - len(shown))), *shown]

    def _asked(self, width: int, most: int) -> list[Text]:
        """Return what is asked and what was typed; where it is long, around the chosen option."""
        prompt = self.session.prompt
        if prompt is None:
            return [Text("...", style="dim")]
        ask = textwrap.wrap(prompt.ask, width)[: max(1, most - 2)]
        room = most - len(ask) - 1
        blocks = [
            textwrap.wrap(f"{number}. {text}", max(width - 4, 10), subsequent_indent="   ")
            for number, text in enumerate(prompt.options.values(), start=1)
        ]
        lines = []
        for place, block in enumerate(blocks):
            mark, style = ("▸", "bold") if place == self.cursor else (" ", "")
            marks = (mark, *" " * len(block))
            lines += [
                (place, Text(f"{m} {line}", style=style))
                for m, line in zip(marks, block, strict=False)
            ]
        if len(lines) > room:
            first = next(i for i, (place, _) in enumerate(lines) if place == self.cursor)
            first = max(0, min(first, len(lines) - room))
            lines = lines[first : first + max(room, 0)]
        typed = f"> {self.typed}▏"
        return [
            *(Text(line, style="bold") for line in ask),
            *(line for _, line in lines),
            Text(typed if len(typed) <= width else "…" + typed[-(width - 1) :]),
        ]


def _lines(one: Tell, width: int) -> list[Text]:
    style = STYLES.get(one.kind, "")
    if one.kind == "diagram":
        return [Text(line, style=style) for line in terminal_flow(one.text, width).splitlines()]
    indent = "  " if one.kind in ("note", "error") else ""
    wrapped = [
        line
        for part in one.text.splitlines()
        for line in textwrap.wrap(part, width, initial_indent=indent, subsequent_indent=indent)
    ]
    before = [Text("")] if one.kind in ("title", "say") else []
    return [*before, *(Text(line, style=style) for line in wrapped)]
