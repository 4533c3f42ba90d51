from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import UsageError
from sandbox.spec.source import MAX_BYTES, Source, read_source, show_key, source_from_text

Message = Callable[[Callable[[], Any]], str]

TEXT = """\
title: x
features:
  - amount
  - mean:
      of: amount
      over: 7d
  - count: {by: key}
"""


@pytest.fixture
def source() -> Source:
    return source_from_text(TEXT, "a.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.yaml: the file is empty; expected keys and values."),
        (b"# only words\n", "a.yaml: the file is empty; expected keys and values."),
        (
            b"- a\n- b\n",
            "a.yaml:1: the top level is not a mapping; got a list, expected keys and values.",
        ),
        (
            b"hello",
            "a.yaml:1: the top level is not a mapping; got the value 'hello', expected keys and "
            "values.",
        ),
        (
            b"title: x\nname: \xe9\n",
            "a.yaml:2: not UTF-8 text; got b'\\xe9'. Save the file as UTF-8.",
        ),
        (b"#" * (MAX_BYTES + 1), "a.yaml: the file is too large; expected at most 1 MB of YAML."),
    ],
)
def test_unusable_content(
    content: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    message_of: Message,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_bytes(content)
    assert message_of(lambda: read_source("a.yaml")) == message
    assert message_of(lambda: read_source(tmp_path / "a.yaml")) == message


def test_missing_file_names_its_neighbours(tmp_path: Path, message_of: Message) -> None:
    (tmp_path / "design.yaml").write_text("a: 1")
    path = tmp_path / "desing.yaml"
    assert message_of(lambda: read_source(path)) == (
        f"{path}: no such file. YAML files there: design.yaml."
    )
    assert "no such file" in message_of(lambda: read_source(tmp_path / "no" / "x.yaml"))


def test_directory(tmp_path: Path, message_of: Message) -> None:
    assert message_of(lambda: read_source(tmp_path)) == (
        f"{tmp_path}: this is a directory; expected a YAML file."
    )


def test_no_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message_of: Message
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")  # a chmod does not stop root

    monkeypatch.setattr(Path, "open", refuse)
    path = tmp_path / "a.yaml"
    assert message_of(lambda: read_source(path)) == f"{path}: no permission to read this file."


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_impossible_names(name: str, message_of: Message) -> None:
    assert message_of(lambda: read_source(name))


def test_reading_a_device_ends(message_of: Message) -> None:
    if not os.path.exists("/dev/zero"):
        pytest.skip("no /dev/zero here")
    assert "too large" in message_of(lambda: read_source("/dev/zero"))


def test_byte_order_mark_is_no_key(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbftitle: x\n")
    assert read_source(file).data == {"title": "x"}


def test_places_of_short_forms_are_the_users_own(source: Source) -> None:
    assert source.locate(("features", 1, "over", 0)) == ("features", 1, "mean", "over")
    assert source.locate(("features", 1, "by")) == ("features", 1, "mean")
    assert source.locate(("features", 0, "of")) == ("features", 0)
    assert source.locate(("features", 9)) == ("features",)
    assert source.locate(("model", "training")) == ()
    assert source.at(("features", 1, "of")) == "amount"


def test_lines(source: Source) -> None:
    assert source.line() == 1
    assert source.line(("features", 1, "over", 0)) == 6
    assert source.line(("features", 2, "by")) == 7
    assert source.line(("nowhere", "at", "all")) == 1


def test_errors_say_where(source: Source) -> None:
    error = source.error(("features", 1, "over"), "too long", got="7d", expected="1d", hint="Cut.")
    assert isinstance(error, UsageError)
    assert error.line() == ("a.yaml:6 features[1].mean.over: too long; got '7d', expected 1d. Cut.")


def test_whole_file_has_no_key(source: Source) -> None:
    assert source.error((), "odd").line() == "a.yaml:1: odd."


def test_show_key() -> None:
    assert show_key(("a", 0, "b", 1, 2)) == "a[0].b[1][2]"
    assert show_key(()) == ""
    assert len(show_key(("x" * 1000,))) == 40


def test_unchanged_text_keeps_its_comments() -> None:
    assert source_from_text("# why\na: 1\n", "a.yaml").as_yaml() == "# why\na: 1\n"
