"""Alerts as a design declares them: a monitor, its subjects, a threshold."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from sandbox.spec.base import Spec, SpecError
from sandbox.spec.units import Duration, Factor, Share

__all__ = [
    "ALERT_KINDS",
    "DETECTOR_KINDS",
    "DRIFT_KINDS",
    "QUALITY_KINDS",
    "STREAMS",
    "AlertSpec",
]

DAY = 86400.0
ALERT_KINDS = (
    "psi", "ks", "js", "missing", "invalid", "performance", "estimate",
    "adwin", "page_hinkley", "ddm", "eddm", "hddm_a", "hddm_w", "kswin",
)  # fmt: skip
QUALITY_KINDS = ("performance", "estimate")
DETECTOR_KINDS = ALERT_KINDS[7:]
"""Sequential detectors; they watch `STREAMS`."""
DRIFT_KINDS = ("psi", "ks", "js", *DETECTOR_KINDS)
"""Kinds that ``on drift`` stands for."""
STREAMS = ("review_precision", "matured_labels", "score", "positive_rate")
_ACT = {"psi": 0.25, "ks": 0.15, "js": 0.1, "missing": 0.02, "invalid": 0.01}


class AlertSpec(Spec):
    """One monitor with a threshold. Written ``- psi: {of: all, act: 0.25, for: 2d}``."""

    kind: str
    """The monitor."""
    of: tuple[str, ...] = ("all",)
    """``all`` or named features, ``score``; metrics; or streams for sequential detectors."""
    act: Factor = 0.0
    """Distance or share that raises the alert."""
    drop: Share = 0.2
    """Relative loss of a quality metric that raises the alert."""
    for_: Duration = Field(default=0.0, alias="for")
    """How long the condition must hold."""
    window: Duration = Field(default=7 * DAY, gt=0)
    """Window of the current data of quality alerts."""
    maturity: Duration = 7 * DAY
    """Age at which labels count as known for quality alerts."""
    cooldown: Duration = 7 * DAY
    """Silence after an alert on the same subject."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "kind" in value:
            return value
        kind = next(iter(value), None)
        if len(value) != 1 or kind is None:
            raise ValueError(f"expected one monitor of {', '.join(ALERT_KINDS)}")
        if kind not in ALERT_KINDS:
            raise SpecError(
                f"unknown monitor {kind!r}, expected one of {', '.join(ALERT_KINDS)}", kind
            )
        body = {} if value[kind] is None else value[kind]
        if not isinstance(body, dict) or "kind" in body:
            raise SpecError(f"expected {kind}: {{of: ..., for: 2d}}", kind)
        if isinstance(body.get("of"), str):
            body = {**body, "of": [body["of"]]}
        return {"kind": kind, "act": _ACT.get(kind, 0.0), **body}

    @model_validator(mode="after")
    def _known(self) -> AlertSpec:
        if self.kind not in ALERT_KINDS:
            raise SpecError(
                f"unknown monitor {self.kind!r}, expected one of {', '.join(ALERT_KINDS)}", "kind"
            )
        if self.kind in DETECTOR_KINDS and self.for_:
            raise SpecError("a detector speaks once, at the change, expected no `for`", "for")
        if self.kind in DETECTOR_KINDS and "all" in self.of:
            known = ", ".join(STREAMS)
            raise SpecError(f"{self.kind} needs `of`, expected streams of {known}", "of")
        return self
