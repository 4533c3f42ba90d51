"""Build the dashboards: ``python grafana/build.py`` writes ``grafana/dashboards/``.

The runbooks of ``docs/runbooks/`` become dashboards too, where an alert's link leads.
"""

from __future__ import annotations

import sys
from pathlib import Path

from boards.live import live_dashboard
from boards.runbooks import runbooks
from boards.simulated import capacity_dashboard, run_dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

FOLDER = Path(__file__).parent / "dashboards"
RUNBOOKS = Path(__file__).parent.parent / "docs" / "runbooks"


def files() -> dict[str, str]:
    """Return every dashboard as JSON, by its path below `FOLDER`."""
    made = {
        "live.json": live_dashboard(),
        "run.json": run_dashboard(),
        "capacity.json": capacity_dashboard(),
        **{f"runbooks/{alert}.json": page for alert, page in runbooks(RUNBOOKS).items()},
    }
    encode = JSONEncoder(sort_keys=True, indent=2).encode
    return {name: encode(built.build()) + "\n" for name, built in made.items()}


def main() -> int:
    """Write them."""
    (FOLDER / "runbooks").mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
