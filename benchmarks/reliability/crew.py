"""Worker processes of a trial: started, paused, killed, by their own ids."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

__all__ = ["Crew"]

ROOT = Path(__file__).parents[2]
_PATIENCE = 120.0


class _Worker:
    """One process, and what it says."""

    def __init__(self, command: list[str]) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        self.ready = threading.Event()
        self.said: list[str] = []
        self.complaints: list[str] = []
        self._readers = [
            threading.Thread(target=self._listen, daemon=True),
            threading.Thread(target=self._hear_complaints, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def wait(self) -> None:
        """Wait until it has ended and everything it said is read."""
        self.process.wait(timeout=_PATIENCE)
        for reader in self._readers:
            reader.join()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == "ready":
                self.ready.set()
            else:
                self.said.append(line)

    def _hear_complaints(self) -> None:
        assert self.process.stderr is not None
        self.complaints.extend(self.process.stderr)


class Crew:
    """Workers by name; use it in a ``with``, so that none stays behind."""

    def __init__(
        self, address: str, prefix: str, folder: Path, *, separately: bool = False,
        scenario: str = "fraud",
    ) -> None:  # fmt: skip
        self._command = [sys.executable, "-m", "benchmarks.reliability.process",
                         address, prefix, str(folder)]  # fmt: skip
        self._more = [*(["--separately"] if separately else []), "--scenario", scenario]
        self._workers: dict[str, _Worker] = {}
        self.counts: dict[str, float] = {}
        """What ended workers counted, added up; killed ones say nothing."""

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        for name, worker in self._workers.items():
            ended = worker.process.poll()
            worker.process.kill()
            worker.wait()
            if failure is not None:  # what a trial that came to nothing leaves to be read
                how = "worked on" if ended is None else f"had ended with {ended}"
                print(f"{name} {how}: {''.join(worker.complaints[-20:])}", file=sys.stderr)

    @property
    def names(self) -> tuple[str, ...]:
        """Workers that run, in order of their start."""
        return tuple(self._workers)

    def start(self, *names: str, wait: bool = True) -> None:
        """Start workers; wait until they are ready."""
        for name in names:
            self._workers[name] = _Worker([*self._command, name, *self._more])
        for name in names if wait else ():
            self.wait_for(name)

    def wait_for(self, name: str) -> None:
        """Wait until a worker is ready."""
        worker, deadline = self._workers[name], time.monotonic() + _PATIENCE
        while not worker.ready.wait(0.2):
            ended = worker.process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"{name} did not get ready: {''.join(worker.complaints)}")

    def kill(self, name: str) -> None:
        """End a worker with SIGKILL."""
        worker = self._workers.pop(name)
        worker.process.kill()
        worker.wait()

    def pause(self, name: str) -> int:
        """Stop a worker with SIGSTOP; it keeps its name for `resume`. Returns its process id."""
        process = self._workers[name].process
        process.send_signal(signal.SIGSTOP)
        return process.pid

    def resume(self, name: str) -> None:
        """Let a paused worker go on."""
        self._workers[name].process.send_signal(signal.SIGCONT)

    def rename(self, name: str, other: str) -> None:
        """Know a worker by another name here, so that one of its old name can be started."""
        self._workers[other] = self._workers.pop(name)

    def ended(self, name: str, because: str) -> bool:
        """Wait until a worker ends by itself; tell whether it failed and said why."""
        worker = self._workers[name]
        worker.wait()
        del self._workers[name]
        return worker.process.returncode != 0 and because in "".join(worker.complaints)

    def end(self, *names: str) -> None:
        """Let workers end in order, all at once, and take what they counted."""
        for name in names:
            self._workers[name].process.send_signal(signal.SIGTERM)
        for name in names:
            worker = self._workers[name]
            worker.wait()
            del self._workers[name]
            if worker.process.returncode:
                raise AssertionError(f"{name} failed: {''.join(worker.complaints)}")
            for key, value in json.loads(worker.said[-1]).items():
                self.counts[key] = self.counts.get(key, 0.0) + value
