"""``make bench``: measure every figure, one process after the other, into RESULTS.md."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

FIGURES = (
    "run_rate",
    "feature_fold",
    "history_features",
    "scoring",
    "handbook_generation",
    "capacity",
    "live",
)


def main() -> int:
    """Run all; stop at the first that fails, with its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="small: does it work at all")
    mode = "--smoke" if parser.parse_args().smoke else "--write"
    for figure in FIGURES:
        print(f"== {figure}", flush=True)
        path = Path(__file__).with_name(f"{figure}.py")
        done = subprocess.run([sys.executable, str(path), mode], check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
