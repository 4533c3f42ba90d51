"""Build the dashboards: ``python grafana/build.py`` writes ``grafana/dashboards/``.

The runbooks of ``docs/runbooks/`` become dashboards too, where an alert's link leads.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from boards.live import live_dashboard
from boards.runbooks import runbooks
from boards.simulated import capacity_dashboard, run_dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

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
    return {name: encoded(built.build()) for name, built in made.items()}


def encoded(dashboard: Dashboard) -> str:
    """Return a dashboard as JSON, its links in sight: the models would put them in a menu."""
    plain = json.loads(JSONEncoder(sort_keys=True).encode(dashboard))
    for link in plain["links"]:
        del link["placement"]
    return json.dumps(plain, sort_keys=True, indent=2) + "\n"


def main() -> int:
    """Write them."""
    (FOLDER / "runbooks").mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
