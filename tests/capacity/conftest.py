"""The fraud scenario's design as a plant, from the shipped profile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.capacity.files import load_prices, load_profile
from sandbox.run.setup import Prepared, prepare
from sandbox.spec.capacity import Prices, Profile

Fraud = Callable[..., Prepared]


@pytest.fixture(scope="session")
def fraud(project: Path) -> Fraud:
    def build(*overrides: str) -> Prepared:
        return prepare(
            "fraud", design=None, seed=7, days=1, overrides=overrides, incidents=(),
            roots=[project / "scenarios"],
        )  # fmt: skip

    return build


@pytest.fixture(scope="session")
def profile() -> Profile:
    return load_profile("reference", None)[0].model_copy(update={"pause_every": 1e9})


@pytest.fixture(scope="session")
def prices() -> Prices:
    return load_prices(None)
