from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox.simulate.profile import REFERENCE


def test_the_last_stage_scores() -> None:
    call, event = REFERENCE.stages(3)
    assert call.tolist() == [REFERENCE.feature_call] * 2 + [REFERENCE.score_call]
    assert event.tolist() == [REFERENCE.feature_event] * 2 + [REFERENCE.score_event]


def test_a_single_stage_scores() -> None:
    assert REFERENCE.stages(1)[0].tolist() == [REFERENCE.score_call]


@pytest.mark.parametrize("field", ["feature_event", "score_event", "effective_keys"])
def test_nothing_is_free(field: str) -> None:
    with pytest.raises(ValueError, match="service times"):
        replace(REFERENCE, **{field: 0.0})


def test_costs_are_not_negative() -> None:
    with pytest.raises(ValueError, match="service times"):
        replace(REFERENCE, hop=float("nan"))
