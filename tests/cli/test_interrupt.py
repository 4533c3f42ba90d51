from __future__ import annotations

import signal
import threading

import pytest

from sandbox.cli.interrupt import Interrupt


def test_first_asks_second_aborts() -> None:
    said: list[str] = []
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), Interrupt(said.append) as interrupt:
        assert not interrupt()
        signal.raise_signal(signal.SIGINT)
        assert interrupt()
        assert "Ctrl-C again to abort" in said[0]
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_it_never_asks_outside_the_main_thread() -> None:
    answers = []

    def work() -> None:
        with Interrupt(print) as interrupt:
            answers.append(interrupt())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [False]
