from __future__ import annotations

import os
import pty
import threading

import pytest

from sandbox.cli.keys import raw_keys, split_keys


@pytest.mark.parametrize(
    ("sent", "keys"),
    [("ab", ["a", "b"]), ("\x1b[A\x1b[6~", ["up", "pagedown"]), ("\x1b", ["escape"]),
     ("\x1b[1;5C", ["unknown"]), ("é\r\x7f", ["é", "enter", "backspace"]), ("", [])],
)  # fmt: skip
def test_what_a_terminal_sends(sent: str, keys: list[str]) -> None:
    assert split_keys(sent) == keys


def test_keys_of_a_terminal_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a letter waits for the other half; time that passes is a key; the end is one too."""
    assert threading.current_thread() is threading.main_thread()
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, closefd=True) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        with raw_keys(0.05) as read:
            assert read() == ["tick"]
            os.write(ours, "aé".encode()[:2])
            assert read() == ["a"]
            os.write(ours, "aé".encode()[2:])
            assert read() == ["é"]
    os.close(ours)
