from __future__ import annotations

import pytest

from sandbox.world import Knob, World


def test_a_knob_is_neutral_within_its_range() -> None:
    assert Knob("k", "ratio", 1.0, 0.0, 2.0, "prior", "").neutral == 1.0
    with pytest.raises(ValueError, match="low <= neutral <= high"):
        Knob("k", "ratio", 3.0, 0.0, 2.0, "prior", "")


def test_a_world_needs_events() -> None:
    with pytest.raises(TypeError, match="abstract"):
        World(None, None)  # type: ignore[abstract, arg-type]


def test_the_public_face_is_stable() -> None:
    import sandbox.world

    for name in ("World", "Knob", "Spec", "Share", "Duration", "Factor", "Money", "Rate"):
        assert name in sandbox.world.__all__
        assert hasattr(sandbox.world, name)
