"""What every Kafka client here shares: addresses, patience, and silence."""

from __future__ import annotations

import logging
import socket

from sandbox.errors import SandboxError, UsageError

__all__ = ["CLIENT", "PATIENCE", "SESSION", "knock", "not_answering", "quiet_client"]

PATIENCE = 30.0
"""For a broker to answer [s]."""
SESSION = 6.0
"""After which a silent member of a group is given up [s]; a broker allows no less by default."""
CLIENT = {
    "bootstrap_timeout_ms": round(PATIENCE * 1000),
    # The default waits up to 30 s before it tries a broker again that was away.
    "reconnect_backoff_ms": 50,
    "reconnect_backoff_max_ms": 1000,
}
"""What every client is told."""
_KNOCK = 5.0
_WHERE = "--kafka"


def knock(address: str, where: str = _WHERE) -> None:
    """Fail at once where nobody listens: the client tries again and again.

    Raises
    ------
    UsageError
        If it is no address.
    SandboxError
        If nobody listens there.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError("not an address", where=where, got=address, expected="HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK).close()
    except OSError as error:
        raise not_answering(address, error, where) from None


def not_answering(address: str, error: Exception, where: str = _WHERE) -> SandboxError:
    """Return what to say when a broker does not answer, or refuses."""
    first = str(error).splitlines()[0] if str(error) else ""
    return SandboxError(
        "no Kafka broker answers", where=where, got=address,
        hint=f"{type(error).__name__}: {first}",
    )  # fmt: skip


def quiet_client() -> None:
    """Keep the client from logging every attempt to connect: what matters is raised."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
