from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.spec.source import source_from_text
from sandbox.spec.tree import MAX_DEPTH, MAX_NODES, YamlProblem, parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("19:00", "19:00"), ("yes", "yes"), ("on", "on"), ("no", "no"), ("true", True),
        ("False", False), ("~", None), ("", None), ("null", None), ("12", 12), ("-3", -3),
        ("010", 10), ("0o10", 8), ("0x1f", 31), ("1e3", 1000.0), (".5", 0.5), ("1_000", "1_000"),
        ("2026-01-05", "2026-01-05"), ("'12'", "12"), ('"true"', "true"), ("!!str 12", "12"),
        (".inf", math.inf), ("-.inf", -math.inf), ("5ms", "5ms"), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_scalars_of_the_core_schema(text: str, value: object) -> None:
    data, _ = parse_yaml(f"key: {text}")
    assert data == {"key": value}
    assert type(data["key"]) is type(value)


def test_nan() -> None:
    assert math.isnan(parse_yaml("a: .nan")[0]["a"])


def test_keys_are_words_as_written() -> None:
    assert parse_yaml("on: 1\n12: 2\ntrue: 3\nnull: 4")[0] == {
        "on": 1,
        "12": 2,
        "true": 3,
        "null": 4,
    }


def test_lines_of_keys_and_items() -> None:
    _, lines = parse_yaml("a: 1\nb:\n  - x\n  -\n    c: 2\nd: {e: 3,\n    f: 4}\n")
    assert lines == {
        (): 1, ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 5, ("b", 1, "c"): 5, ("d",): 6,
        ("d", "e"): 6, ("d", "f"): 7,
    }  # fmt: skip


def test_aliases_are_copies() -> None:
    data, _ = parse_yaml("a: &x {n: [1]}\nb: *x")
    assert data["a"] == data["b"]
    assert data["a"] is not data["b"]
    assert data["a"]["n"] is not data["b"]["n"]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: 1\nb: 2\na: 3", 3, "twice"),
        ("a: [1, 2", 1, "not YAML"),
        ("a: 1\n\tb: 2", 2, "not YAML"),
        ("a: *x", 1, "unknown alias"),
        ("a: &x [*x]", 1, "unknown alias"),
        ("a: 1\n---\nb: 2", 2, "second document"),
        ("a: 1\nb: !foo 2", 2, "tags"),
        ("a: !!python/object/apply:os.system [ls]", 1, "tags"),
        ("? [1]\n: 2", 1, "not a word"),
        ("'': 2", 1, "not a word"),
        ('a: "\\UFFFFFFFF"', 1, "not YAML"),
        ('a: "\\ud800"', 1, "unprintable"),
        ("a: 1\nb: \x07", 2, "not YAML"),
        ("[" * 2000 + "]" * 2000, 1, "nested too deeply"),
        ("a:\n" + "- 1\n" * (MAX_NODES + 1), MAX_NODES, "too much content"),
    ],
)
def test_problems_name_the_line(text: str, line: int, what: str) -> None:
    with pytest.raises(YamlProblem, match=what) as caught:
        parse_yaml(text)
    assert abs(caught.value.line - line) <= 1


def test_depth_up_to_the_limit() -> None:
    assert parse_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH)[0] is not None


def test_alias_bomb_is_stopped_early() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
    )
    started = time.perf_counter()
    with pytest.raises(YamlProblem, match="too much content"):
        parse_yaml(bomb)
    assert time.perf_counter() - started < 5


texts = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")) | st.sampled_from("\n\t")
)
texts = texts.filter(lambda text: not set(text) & set("\ufeff\ufffe\uffff"))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
trees = st.recursive(
    scalars,
    lambda t: st.lists(t, max_size=4) | st.dictionaries(texts.filter(bool), t, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abcdef:#-?[]{}!*&'\"% 019.e", min_size=1), trees, min_size=1))
def test_what_we_write_we_read(data: dict[str, object]) -> None:
    source = source_from_text("a: 1", "x.yaml")
    changed = type(source)(name="x.yaml", data=data, origins={("a",): "--set a"})
    assert parse_yaml(changed.as_yaml())[0] == data
