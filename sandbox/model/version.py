"""ModelVersion: all that is needed to decide with a model, and to say where it came from."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.errors import OutputError, UsageError
from sandbox.model.calibration import Calibrator, Conformal, calibrator_from_dict
from sandbox.model.estimators import Estimator, load_estimator
from sandbox.model.ranker import RANKERS, load_ranker
from sandbox.model.regression import REGRESSIONS, LogRegression, load_regression
from sandbox.model.splits import TrainingWindow

__all__ = ["ModelVersion", "Scorer", "load_version", "save_version", "version_from_files"]

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]
_CARD = "version.json"


@dataclass(frozen=True)
class Scorer:
    """An estimator and its calibrator."""

    estimator: Estimator
    calibrator: Calibrator

    def predict(self, features: Matrix) -> Floats:
        """Return calibrated scores, shape (n,), for features of shape (n, f).

        Of a classifier they are in [0, 1], of a regression in the label's unit.
        """
        return self.calibrator.apply(self.estimator.predict(features))

    def spread(self, features: Matrix) -> Floats | None:
        """Return how far off each score may be, shape (n,), in log units; None: it does not say."""
        if not isinstance(self.estimator, LogRegression):
            return None
        factor = self.calibrator.factor if isinstance(self.calibrator, Conformal) else 1.0
        return factor * self.estimator.spread(features)


@dataclass(frozen=True)
class ModelVersion:
    """One trained model, unchanging. Times are on the clock of whoever trained it [s]."""

    number: int
    scorer: Scorer
    baseline: Scorer
    """A linear model of the same rows."""
    names: tuple[str, ...]
    """Columns of the feature matrix, in order."""
    review_above: float
    """Scores (of a regression: spreads) above it go to review; infinity: none."""
    block_above: float
    """Scores, or spreads, above it are blocked; infinity: none."""
    block_reason: str
    """How `block_above` came about."""
    trained_at: float
    window: TrainingWindow
    trigger: str
    """What asked for it: ``initial``, ``every 28d``, ``performance``."""
    rows: int
    """Rows of the training slice, before resampling (after a refit: of both slices)."""
    positives: int
    """Cases of the task among them: positives, known labels."""
    refitted: bool = False
    offline: Mapping[str, float] = field(default_factory=dict)
    """Validation metrics, before any refit; ``cost`` is USD at `block_above`."""
    offline_champion: Mapping[str, float] = field(default_factory=dict)
    """The same for the champion of the time, on the same rows; empty without one."""
    offline_baseline: Mapping[str, float] = field(default_factory=dict)

    def predict(self, features: Matrix) -> Floats:
        """Return calibrated scores, shape (n,), for float32 features (n, f)."""
        return self.scorer.predict(features)

    def spread(self, features: Matrix) -> Floats | None:
        """Return how far off each score may be; see `Scorer.spread`."""
        return self.scorer.spread(features)

    def predict_baseline(self, features: Matrix) -> Floats:
        """Return the baseline's scores; arguments as in `predict`."""
        return self.baseline.predict(features)

    def files(self) -> dict[str, bytes]:
        """Return the version as files by relative path: JSON and UBJ, no pickle.

        The same version always gives the same bytes.
        """
        card: dict[str, Any] = {
            "number": self.number,
            "names": self.names,
            "review_above": _finite(self.review_above),
            "block_above": _finite(self.block_above),
            "block_reason": self.block_reason,
            "trained_at": self.trained_at,
            "window": asdict(self.window),
            "trigger": self.trigger,
            "rows": self.rows,
            "positives": self.positives,
            "refitted": self.refitted,
        }
        for name in ("offline", "offline_champion", "offline_baseline"):
            card[name] = {k: _finite(v) for k, v in getattr(self, name).items()}
        stored: dict[str, bytes] = {}
        for part in ("scorer", "baseline"):
            scorer: Scorer = getattr(self, part)
            family, calibrator = scorer.estimator.family, scorer.calibrator.to_dict()
            card[part] = {"family": family, "calibrator": calibrator}
            for path, content in scorer.estimator.files().items():
                stored[f"{part}/{path}"] = content
        card["sha256"] = {path: hashlib.sha256(stored[path]).hexdigest() for path in stored}
        return {_CARD: json.dumps(card, indent=1, allow_nan=False).encode(), **stored}


def version_from_files(files: Mapping[str, bytes], where: str = "model") -> ModelVersion:
    """Read back what `ModelVersion.files` gave.

    Raises
    ------
    UsageError
        If a file is missing or is not what it should be; `where` is named in the message.
    """
    try:
        card = json.loads(files[_CARD])
        _check_contents(card["sha256"], files)
        return ModelVersion(
            number=int(card["number"]),
            names=tuple(card["names"]),
            review_above=_infinite(card["review_above"]),
            block_above=_infinite(card["block_above"]),
            block_reason=str(card["block_reason"]),
            trained_at=float(card["trained_at"]),
            window=TrainingWindow(**card["window"]),
            trigger=str(card["trigger"]),
            rows=int(card["rows"]),
            positives=int(card["positives"]),
            refitted=bool(card["refitted"]),
            scorer=_scorer("scorer", card, files),
            baseline=_scorer("baseline", card, files),
            offline=_metrics(card["offline"]),
            offline_champion=_metrics(card["offline_champion"]),
            offline_baseline=_metrics(card["offline_baseline"]),
        )
    except KeyError as error:
        missing = f"an entry {error}"
        raise UsageError("model is incomplete", where=where, expected=missing) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"model cannot be read ({error})", where=where) from error


def save_version(version: ModelVersion, folder: Path) -> None:
    """Write the version into a new folder, all of it or nothing.

    Raises
    ------
    OutputError
        If it cannot be written, or `folder` exists.
    """
    if folder.exists():
        raise OutputError("model folder exists already", where=str(folder))
    draft = folder.with_name(folder.name + ".part")
    try:
        for path, content in version.files().items():
            target = draft / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        draft.rename(folder)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise OutputError(f"cannot write model ({error.strerror})", where=str(folder)) from error


def load_version(folder: Path) -> ModelVersion:
    """Read a version that `save_version` wrote; `UsageError` if it is not one."""
    try:
        files = {
            str(PurePosixPath(path.relative_to(folder))): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
    except OSError as error:
        raise UsageError(f"cannot read model ({error.strerror})", where=str(folder)) from error
    return version_from_files(files, where=str(folder))


def _check_contents(expected: Mapping[str, str], files: Mapping[str, bytes]) -> None:
    # Not a formality: XGBoost ends the whole process on some malformed files.
    for path, digest in expected.items():
        if hashlib.sha256(files[path]).hexdigest() != digest:
            raise ValueError(f"{path} was changed after it was saved")


def _scorer(part: str, card: Mapping[str, Any], files: Mapping[str, bytes]) -> Scorer:
    own = {
        path.removeprefix(f"{part}/"): content
        for path, content in files.items()
        if path.startswith(f"{part}/")
    }
    family = card[part]["family"]
    estimator: Estimator
    if family in RANKERS:
        estimator = load_ranker(family, own)
    else:
        estimator = (load_regression if family in REGRESSIONS else load_estimator)(family, own)
    return Scorer(estimator, calibrator_from_dict(card[part]["calibrator"]))


def _metrics(stored: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else float(value) for name, value in stored.items()}


def _finite(value: float) -> float | None:
    """JSON has neither infinity nor NaN: both are stored as null."""
    return float(value) if math.isfinite(value) else None


def _infinite(value: float | None) -> float:
    return math.inf if value is None else float(value)
