"""``--set KEY=VALUE``: change a specification from the command line, checked like the file."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from sandbox.errors import UsageError, suggest
from sandbox.spec.design import Design
from sandbox.spec.outline import keys_of, model_of, step
from sandbox.spec.scenario import Scenario
from sandbox.spec.source import Key, Source, kind_of, show_key
from sandbox.spec.tree import YamlProblem, parse_yaml

__all__ = ["apply_overrides", "split_overrides"]

_PART = re.compile(r"([\w-]+)((?:\[[0-9]{1,6}\])*)")
_EXPECTED = "KEY=VALUE such as model.imbalance=smote"


def split_overrides(settings: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the settings of a design and those of a scenario, told apart by their first key.

    Raises
    ------
    UsageError
        If neither has the first key.

    Examples
    --------
    >>> split_overrides(["retraining=never", "load.mean=50/s", "features[0]=amount"])
    (('retraining=never', 'features[0]=amount'), ('load.mean=50/s',))
    """
    design: list[str] = []
    scenario: list[str] = []
    known = [*keys_of(Design), *(k for k in keys_of(Scenario) if k not in keys_of(Design))]
    for setting in settings:
        place, _, label = _split(setting)
        if place[0] in keys_of(Design):
            design.append(setting)
        elif place[0] in keys_of(Scenario):
            scenario.append(setting)
        else:
            raise _unknown(label, str(place[0]), known)
    return tuple(design), tuple(scenario)


def apply_overrides(
    source: Source, settings: Iterable[str], model: type[BaseModel] = Design
) -> Source:
    """Return a source with settings applied in order; later messages name the option.

    A list index may be one past the end to append. A setting below a plain value (``never``)
    replaces that value by keys.

    Raises
    ------
    UsageError
        If a setting is no ``KEY=VALUE``, its key does not exist, or its value is not YAML.
    """
    data, origins = copy.deepcopy(source.data), dict(source.origins)
    for setting in settings:
        place, text, label = _split(setting)
        value = _value(text, label)
        _check_exists(place, model, label)
        _assign(data, place, value, label)
        for inside in [p for p in origins if p[: len(place)] == place]:
            del origins[inside]
        origins[place] = label
    return replace(source, data=data, origins=origins)


def _split(setting: str) -> tuple[Key, str, str]:
    key, equals, text = setting.partition("=")
    key = key.strip()
    place: list[str | int] = []
    for part in key.split("."):
        match = _PART.fullmatch(part)
        if match is None or not equals:
            raise UsageError("wrong setting", where="--set", got=setting, expected=_EXPECTED)
        place.append(match[1])
        place.extend(int(index) for index in re.findall(r"[0-9]+", match[2]))
    label = f"--set {show_key(place)}"
    if not text.strip():
        raise UsageError(
            "no value", where=label, expected="KEY=VALUE", hint="Write null for nothing."
        )
    return tuple(place), text.strip(), label


def _value(text: str, label: str) -> Any:
    try:
        value, _ = parse_yaml(text)
    except YamlProblem as problem:
        raise UsageError(problem.what, where=label, got=text, expected="a YAML value") from None
    return value


def _unknown(label: str, key: str, known: Iterable[str]) -> UsageError:
    names = list(known)
    return UsageError(
        "unknown key",
        where=label,
        got=key,
        expected=f"one of {', '.join(names)}" if names else "no key below a value",
        hint=suggest(key, names),
    )


def _check_exists(place: Key, model: type[BaseModel], label: str) -> None:
    annotation: Any = model
    for part in place:
        below = step(annotation, part)
        if below is None:
            parent = model_of(annotation)
            if isinstance(part, int):
                raise UsageError("this is not a list", where=label, got=f"[{part}]")
            raise _unknown(label, part, keys_of(parent) if parent is not None else ())
        annotation = below


def _assign(data: Any, place: Key, value: Any, label: str) -> None:
    node: Any = data
    for part, following in zip(place, [*place[1:], None], strict=True):
        if isinstance(part, int):
            if not isinstance(node, list):
                raise UsageError(
                    "the file has no list here", where=label, got=kind_of(node), expected="a list"
                )
            if part > len(node):
                expected = f"an index from 0 to {len(node)}"
                raise UsageError("no such item", where=label, got=part, expected=expected)
            if part == len(node):
                node.append(None)
        if following is None:
            node[part] = value
            return
        below = node[part] if isinstance(part, int) else node.get(part)
        wanted = list if isinstance(following, int) else dict
        if not isinstance(below, list | dict) or (wanted is dict and isinstance(below, list)):
            below = node[part] = wanted()
        node = below
