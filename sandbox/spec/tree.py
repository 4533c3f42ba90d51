"""YAML 1.2 text to plain data with line numbers.

Built from parser events, so that nothing is ever constructed from a tag, ``on`` and ``19:00`` stay
text (core schema), repeated keys are errors, and size, depth and aliases are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

__all__ = ["Key", "YamlProblem", "parse_yaml"]

Key = tuple[str | int, ...]
"""Place in a document: mapping keys and list indices."""

MAX_NODES = 20_000
MAX_DEPTH = 32
_MAX_DIGITS = 300

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
"""Control characters, odd line breaks and halves of characters, which quotes can smuggle in."""
_TEXT_TAGS = ("!", "tag:yaml.org,2002:str")


class YamlProblem(ValueError):
    """A text that is not the YAML we read; `line` counts from 1."""

    def __init__(
        self, line: int, what: str, *, got: object | None = None, expected: str = "", hint: str = ""
    ) -> None:
        self.line, self.what, self.got, self.expected, self.hint = line, what, got, expected, hint
        super().__init__(what)


def parse_yaml(text: str) -> tuple[Any, dict[Key, int]]:
    """Return the data of a one-document text, and the line of every place in it.

    A key's line is that of the key, an item's that of its first character.

    Raises
    ------
    YamlProblem
        If it is not YAML 1.2, or uses what specifications do not need: tags, several documents,
        recursive aliases, more than 20,000 nodes (aliases expanded), more than 32 levels.

    Examples
    --------
    >>> parse_yaml("{on: 19:00, steps: [yes, 0x10, 1e3]}")[0]
    {'on': '19:00', 'steps': ['yes', 16, 1000.0]}
    """
    return _Builder(text).document()


class _Builder:
    """One pass over the events of one text."""

    def __init__(self, text: str) -> None:
        self._events = _events(text)
        self._anchors: dict[str, Any] = {}
        self._lines: dict[Key, int] = {}
        self._nodes = 0

    def document(self) -> tuple[Any, dict[Key, int]]:
        data: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise YamlProblem(
                        _line(event), "a second document starts", expected="one a file"
                    )
                data = self._node(next(self._events), ())
            elif isinstance(event, DocumentEndEvent | StreamEndEvent):
                continue
        return data, self._lines

    def _node(self, event: Event, place: Key) -> Any:
        self._count(event)
        if len(place) > MAX_DEPTH:
            raise YamlProblem(_line(event), "nested too deeply", expected=f"{MAX_DEPTH} levels")
        self._lines.setdefault(place, _line(event))
        if isinstance(event, AliasEvent):
            return self._alias(event)
        value: Any
        if isinstance(event, MappingStartEvent):
            _no_tag(event)
            value = self._mapping(place)
        elif isinstance(event, SequenceStartEvent):
            _no_tag(event)
            value = []
            for item in self._until(SequenceEndEvent):
                value.append(self._node(item, (*place, len(value))))
        else:
            value = _scalar(event)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = value
        return value

    def _mapping(self, place: Key) -> dict[str, Any]:
        value: dict[str, Any] = {}
        first: dict[str, int] = {}
        for event in self._until(MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                raise YamlProblem(_line(event), "a key is not a word", expected="key: value")
            key = str(event.value)
            if key == "" or _ODD.search(key):
                raise YamlProblem(_line(event), "a key is not a word", got=key)
            if key in value:
                raise YamlProblem(
                    _line(event), "this key is here twice", got=key,
                    hint=f"It is on line {first[key]} already; keep one.",
                )  # fmt: skip
            first[key] = self._lines[(*place, key)] = _line(event)
            value[key] = self._node(next(self._events), (*place, key))
        return value

    def _until(self, end: type[Event]) -> Iterator[Event]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield event

    def _alias(self, event: AliasEvent) -> Any:
        if event.anchor not in self._anchors:
            raise YamlProblem(
                _line(event), "unknown alias", got=f"*{event.anchor}",
                expected=f"an anchor &{event.anchor} above",
            )  # fmt: skip
        return self._copy(self._anchors[event.anchor], event)

    def _copy(self, value: Any, event: Event) -> Any:
        self._count(event)
        if isinstance(value, dict):
            return {key: self._copy(item, event) for key, item in value.items()}
        if isinstance(value, list):
            return [self._copy(item, event) for item in value]
        return value

    def _count(self, event: Event) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise YamlProblem(
                _line(event), "too much content", expected=f"at most {MAX_NODES:,} values"
            )


def _events(text: str) -> Iterator[Event]:
    """Yield parser events; every complaint of the parser becomes a YamlProblem."""
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except YAMLError as error:
        raise _parser_problem(error, text) from None
    except (ValueError, OverflowError) as error:  # bad code points in "\U..." escapes
        raise YamlProblem(1, f"not YAML ({error})", hint="Check escapes in quotes.") from None


def _parser_problem(error: YAMLError, text: str) -> YamlProblem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
    line = 1 + (mark.line if mark is not None else text.count("\n", 0, _position(error)))
    return YamlProblem(
        line, f"not YAML ({what})", hint="Check indentation, colons and quotes here and just above."
    )


def _position(error: YAMLError) -> int:
    position = getattr(error, "position", 0)
    return position if isinstance(position, int) else 0


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1


def _tag(event: Event) -> str | None:
    tag = getattr(event, "ctag", None)
    return None if tag is None else str(tag)


def _no_tag(event: Event) -> None:
    tag = _tag(event)
    if tag is not None:
        raise YamlProblem(_line(event), "tags are not used here", got=tag, expected="plain YAML")


def _scalar(event: Event) -> Any:
    if not isinstance(event, ScalarEvent):
        raise YamlProblem(_line(event), "not YAML (a value is missing)")
    text = str(event.value)
    if _ODD.search(text):
        raise YamlProblem(_line(event), "an unprintable character", got=text)
    tag = _tag(event)
    if tag in _TEXT_TAGS:
        return text
    _no_tag(event)
    return _resolve(text) if event.implicit[0] else text


def _resolve(text: str) -> Any:
    """Return the value of a plain scalar by the core schema of YAML 1.2."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text[0] in "tT"
    if len(text) > _MAX_DIGITS:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    special = _SPECIAL.fullmatch(text)
    if special:
        return float("nan") if special[3] else float(f"{special[1]}inf")
    return text
