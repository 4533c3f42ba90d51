"""``python -m sandbox`` is the ``sandbox`` command."""

from __future__ import annotations

from sandbox.cli.main import entry

if __name__ == "__main__":
    entry()
