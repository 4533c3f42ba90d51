"""A file as data that remembers where everything in it was written."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from sandbox.errors import UsageError
from sandbox.spec.cleaning import STEPS
from sandbox.spec.design import ALERT_KINDS
from sandbox.spec.features import OPERATIONS
from sandbox.spec.tree import Key, YamlProblem, parse_yaml

__all__ = ["Key", "Plain", "Source", "dump_yaml", "read_source", "show_key", "source_from_text"]

MAX_BYTES = 1_000_000
_MAX_PART = 40
_SHORT_FORMS = frozenset((*STEPS, *OPERATIONS, *ALERT_KINDS))


class Plain(str):
    """A description that a message shows without quotes: ``got a list``."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the bare text."""
        return str(self)


@dataclass(frozen=True)
class Source:
    """What a file says, and where it says it.

    Places are given as the specification sees them; those of short forms are turned into the
    user's own: in ``- mean: {over: 1d}`` the place ``over`` of the feature is ``mean.over``.
    """

    name: str
    """The file as the user would name it."""
    data: dict[str, Any]
    """Plain dicts, lists, texts, numbers, booleans and None."""
    text: str = ""
    """The file as it was read."""
    lines: Mapping[Key, int] = field(default_factory=dict)
    """Line numbers from 1, by place."""
    origins: Mapping[Key, str] = field(default_factory=dict)
    """Options that set a place over the file: ``--set model.imbalance``."""

    def locate(self, place: Sequence[str | int]) -> Key:
        """Return the nearest written place to one that the specification names."""
        found: list[str | int] = []
        node: Any = self.data
        for part in place:
            if isinstance(node, dict) and part not in node and len(node) == 1:
                (only,) = node
                if only in _SHORT_FORMS:
                    found.append(only)
                    node = node[only]
            known = isinstance(node, dict) and part in node
            item = isinstance(node, list) and isinstance(part, int) and 0 <= part < len(node)
            if not known and not item:
                break
            found.append(part)
            node = node[part]
        return tuple(found)

    def at(self, place: Sequence[str | int]) -> Any:
        """Return what is written at the nearest place."""
        node: Any = self.data
        for part in self.locate(place):
            node = node[part]
        return node

    def line(self, place: Sequence[str | int] = ()) -> int:
        """Return the line of a place, or of the nearest written place around it."""
        written = self.locate(place)
        while written and written not in self.lines:
            written = written[:-1]
        return self.lines.get(written, 1)

    def where(self, place: Sequence[str | int] = ()) -> str:
        """Return ``file:line key``, or ``--set key`` for what an option has set."""
        written = self.locate(place)
        for length in range(len(written), 0, -1):
            origin = self.origins.get(written[:length])
            if origin is not None:
                return origin if length == len(written) else f"{origin} ({show_key(written)})"
        below = [label for p, label in self.origins.items() if p[: len(written)] == written]
        place = f"{self.name}:{self.line(written)} {show_key(written)}".rstrip()
        return f"{place} (with {', '.join(below)})" if below else place

    def error(
        self,
        place: Sequence[str | int],
        what: str,
        *,
        got: object | None = None,
        expected: str = "",
        hint: str = "",
    ) -> UsageError:
        """Return an error that says where it is."""
        return UsageError(what, where=self.where(place), got=got, expected=expected, hint=hint)

    def as_yaml(self) -> str:
        """Return the file's text, or the data as YAML where options changed them."""
        if not self.origins:
            return self.text
        return dump_yaml(self.data)


def dump_yaml(data: Mapping[str, Any]) -> str:
    """Return data as YAML, in the order in which they are."""
    out = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.dump(data, out)
    return out.getvalue()


def show_key(place: Sequence[str | int]) -> str:
    """Return a place as people write it.

    Examples
    --------
    >>> show_key(("features", 2, "mean", "over", 0))
    'features[2].mean.over[0]'
    """
    parts = [f"[{p}]" if isinstance(p, int) else f".{_short(p)}" for p in place]
    return "".join(parts).removeprefix(".")


def _short(part: str) -> str:
    return part if len(part) <= _MAX_PART else part[: _MAX_PART - 3] + "..."


def read_source(path: str | os.PathLike[str]) -> Source:
    """Read a YAML file whose top level is a mapping.

    Raises
    ------
    UsageError
        If it cannot be read, is not UTF-8, is larger than 1 MB, or is not such YAML; names the
        file and, where there is one, the line.
    """
    name = display_name(path)
    return source_from_text(_read_text(path, name), name)


def source_from_text(text: str, name: str) -> Source:
    """Parse a text that stands for the file `name`.

    Raises
    ------
    UsageError
        As `read_source`.
    """
    try:
        data, lines = parse_yaml(text)
    except YamlProblem as p:
        raise UsageError(
            p.what, where=f"{name}:{p.line}", got=p.got, expected=p.expected, hint=p.hint
        ) from None
    if data is None:
        raise UsageError("the file is empty", where=name, expected="keys and values")
    if not isinstance(data, dict):
        raise UsageError(
            "the top level is not a mapping", where=f"{name}:{lines.get((), 1)}",
            got=kind_of(data), expected="keys and values",
        )  # fmt: skip
    return Source(name=name, data=data, text=text, lines=lines)


def kind_of(value: object) -> Plain:
    """Return what a value is, in the words of YAML."""
    if value is None:
        return Plain("nothing")
    if isinstance(value, dict):
        return Plain("a mapping")
    return Plain("a list" if isinstance(value, list | tuple) else f"the value {value!r}"[:80])


def display_name(path: str | os.PathLike[str]) -> str:
    """Return a path relative to the working directory where it lies below, else as given."""
    given = os.fspath(path)
    try:
        inside = Path(given).relative_to(Path.cwd())
    except (ValueError, OSError):
        return given
    return str(inside)


def _read_text(path: str | os.PathLike[str], name: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError("no such file", where=name, hint=_nearby(Path(path))) from None
    except IsADirectoryError:
        raise UsageError("this is a directory", where=name, expected="a YAML file") from None
    except PermissionError:
        raise UsageError("no permission to read this file", where=name) from None
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror or error})", where=name) from None
    except ValueError:  # a NUL in the name
        raise UsageError("not a file name", where="file", got=name) from None
    if len(content) > MAX_BYTES:
        raise UsageError("the file is too large", where=name, expected="at most 1 MB of YAML")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            "not UTF-8 text", where=f"{name}:{line}", got=content[error.start : error.start + 1],
            hint="Save the file as UTF-8.",
        ) from None  # fmt: skip


def _nearby(path: Path) -> str:
    """Return a hint with the YAML files of the same folder."""
    try:
        names = sorted(p.name for p in path.parent.glob("*.y*ml"))[:8]
    except (OSError, ValueError):
        return ""
    return f"YAML files there: {', '.join(names)}." if names else "Check the path."
