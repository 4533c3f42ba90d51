"""Settings for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Several test processes share few cores: more threads each would spend their time waiting.
os.environ.setdefault("OMP_THREAD_LIMIT", "1")

settings.register_profile("quick", max_examples=50, deadline=None, derandomize=True)
settings.load_profile("quick")


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the clone."""
    return Path(__file__).parent.parent
