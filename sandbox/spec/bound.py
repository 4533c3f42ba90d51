"""A bound on a measured quantity, from below or from above."""

from __future__ import annotations

from pydantic import model_validator

from sandbox.spec.base import Spec
from sandbox.spec.units import AnyQuantity

__all__ = ["Bound"]


class Bound(Spec):
    """What a measured quantity must reach."""

    at_least: AnyQuantity | None = None
    """Smallest accepted value."""
    at_most: AnyQuantity | None = None
    """Largest accepted value."""

    @model_validator(mode="after")
    def _one_bound(self) -> Bound:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("expected exactly one of at_least, at_most")
        return self

    @property
    def bound(self) -> float:
        """The bound in base units."""
        value = self.at_least if self.at_least is not None else self.at_most
        assert value is not None
        return value

    def holds(self, value: float) -> bool:
        """Return whether a value is good enough; NaN is not."""
        return value >= self.bound if self.at_least is not None else value <= self.bound
