"""Ray, for sweeps that one machine is too small for."""

from __future__ import annotations

import importlib
import logging
import socket
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from sandbox.errors import SandboxError, UsageError

__all__ = ["RayExecutor"]

PATIENCE = 5.0
"""For a cluster to answer [s]."""


class RayExecutor(Executor):
    """Calls on a Ray cluster, as futures. The package must be installed on its machines.

    Parameters
    ----------
    address
        ``auto``, ``local`` or ``HOST:PORT``.

    Raises
    ------
    UsageError
        If Ray is not installed.
    SandboxError
        If no cluster answers there.
    """

    def __init__(self, address: str) -> None:
        try:
            ray: Any = importlib.import_module("ray")
        except ModuleNotFoundError:
            raise UsageError(
                "Ray is not installed", where="--ray",
                hint="Install it with: pip install 'ml-design-sandbox[ray]'.",
            ) from None  # fmt: skip
        self._ray = ray
        try:
            _knock(address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, RuntimeError, ValueError) as error:
            raise SandboxError(
                "no Ray cluster answers", where="--ray", got=address,
                hint=str(error).strip().splitlines()[0],
            ) from None  # fmt: skip

    @property
    def cores(self) -> int:
        """How many the cluster has."""
        return int(self._ray.cluster_resources().get("CPU", 1))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call a function somewhere."""
        future: Future[Any] = self._ray.remote(fn).remote(*args, **kwargs).future()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster."""
        self._ray.shutdown()


def _knock(address: str) -> None:
    """Fail at once where nobody listens: Ray itself tries for many minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
