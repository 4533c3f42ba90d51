"""Keys one by one, for what fills a terminal's screen."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["raw_keys", "split_keys"]

NAMED = {
    "\r": "enter", "\n": "enter", "\x1b": "escape", "\x7f": "backspace", "\b": "backspace",
    "\x1b[A": "up", "\x1b[B": "down", "\x1b[5~": "pageup", "\x1b[6~": "pagedown",
    "\x1bOA": "up", "\x1bOB": "down",
}  # fmt: skip
_KEY = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])|.", re.S)


def split_keys(text: str) -> list[str]:
    r"""Return the keys in what a terminal sent, special ones by name.

    Examples
    --------
    >>> split_keys("a\x1b[A\r")
    ['a', 'up', 'enter']
    """
    keys = [NAMED.get(key, key) for key in _KEY.findall(text)]
    return [key if not key.startswith("\x1b") else "unknown" for key in keys]


@contextmanager
def raw_keys(tick: float | None = None) -> Iterator[Callable[[], list[str]]]:
    """Yield a function that waits for keys and returns them; the terminal is as before afterwards.

    A change of the window's size counts as a key without a name, and so does time that passes.

    Parameters
    ----------
    tick
        Longest wait [s]; for ever when absent.
    """
    import codecs
    import signal
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")

    def resized(*_: object) -> None:
        os.write(wake_write, b"x")

    former = signal.signal(signal.SIGWINCH, resized)
    try:
        tty.setcbreak(descriptor)
        yield lambda: _keys(descriptor, wake_read, tick, decoder.decode)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, former)
        os.close(wake_read)
        os.close(wake_write)


def _keys(
    descriptor: int, wake: int, tick: float | None, decode: Callable[[bytes], str]
) -> list[str]:
    import select

    ready, _, _ = select.select([descriptor, wake], [], [], tick)
    if not ready:
        return ["tick"]
    if wake in ready:
        os.read(wake, 1024)
        return ["resized"]
    data = os.read(descriptor, 1024)
    return split_keys(decode(data)) if data else ["gone"]
