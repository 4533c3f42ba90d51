from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import OutputError, SandboxError, UsageError, VerdictError, suggest


def test_grammar() -> None:
    error = UsageError(
        "unknown column",
        where="fraud/design.yaml:31 features[2].by",
        got="custmer_id",
        expected="one of customer_id, terminal_id",
        hint="Did you mean customer_id?",
    )
    assert str(error) == (
        "fraud/design.yaml:31 features[2].by: unknown column; got 'custmer_id', expected one of "
        "customer_id, terminal_id. Did you mean customer_id?"
    )
    assert error.line() == str(error)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UsageError("no such file"), "no such file."),
        (UsageError("no such file", where="a.yaml"), "a.yaml: no such file."),
        (UsageError("too few", expected="3"), "too few; expected 3."),
        (UsageError("odd", got=0), "odd; got 0."),
        (UsageError("what now?", hint="Look."), "what now? Look."),
    ],
)
def test_parts_may_be_absent(error: SandboxError, line: str) -> None:
    assert error.line() == line


@pytest.mark.parametrize(
    ("kind", "code"), [(SandboxError, 1), (UsageError, 2), (VerdictError, 3), (OutputError, 4)]
)
def test_exit_codes(kind: type[SandboxError], code: int) -> None:
    assert issubclass(kind, SandboxError)
    assert kind("x").exit_code == code


def test_long_values_are_cut() -> None:
    line = UsageError("too long", got="x" * 500).line()
    assert len(line) < 120
    assert "..." in line


@given(st.text(), st.text(), st.text(), st.text())
def test_always_one_printable_line(what: str, where: str, got: str, hint: str) -> None:
    line = UsageError(what, where=where, got=got, hint=hint).line()
    assert line
    assert len(line.splitlines()) == 1
    assert line.isprintable()


def test_escape_codes_cannot_reach_the_terminal() -> None:
    assert UsageError("odd", where="\x1b[31mred").line() == "\\x1b[31mred: odd."


def test_suggest() -> None:
    assert suggest("partitons", ["partitions", "key"]) == "Did you mean partitions?"
    assert suggest("zzz", ["partitions", "key"]) == ""
    assert suggest("", []) == ""
