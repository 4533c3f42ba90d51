"""``--to-prometheus``: simulated time series for Grafana."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sandbox.adapters.remote_write import Line

__all__ = ["ToPrometheus", "send"]


def _checked(url: str | None) -> str | None:
    """Refuse what is no URL before minutes are spent."""
    if url is not None:
        from sandbox.adapters.remote_write import write_address

        write_address(url)
    return url


ToPrometheus = Annotated[
    str | None,
    typer.Option(
        "--to-prometheus",
        metavar="URL",
        callback=_checked,
        help="Send the metrics there by remote write, simulated time ending now.",
    ),
]


def send(url: str, lines: Iterable[Line]) -> None:
    """Send series and say how many samples went.

    Raises
    ------
    SandboxError
        If they are not taken.
    """
    from sandbox.adapters.remote_write import write

    number = write(url, lines)
    print(f"Sent {number:,} samples to {url}", file=sys.stderr)
