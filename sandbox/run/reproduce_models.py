"""Models of a published record: those that a design can name, and plain ones beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.model import Resampled
from sandbox.model.estimators import fit_estimator
from sandbox.run.reproduce_spec import Contender

__all__ = ["fit_and_score"]

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]
_SEED = 0
"""The handbook's `random_state`."""
_THREADS = 2


def fit_and_score(contender: Contender, features: Matrix, label: Floats, test: Matrix) -> Floats:
    """Fit a model on (n, f) features with labels of shape (n,) and return scores of `test`.

    The same data give the same scores on the same machine.
    """
    if contender.smote is not None:
        from imblearn.over_sampling import SMOTE

        sampler = SMOTE(sampling_strategy=contender.smote, random_state=_SEED)
        features, label = sampler.fit_resample(features, label)
    if contender.champion is not None:
        data = Resampled(features, label, contender.positive_weight)
        return fit_estimator(contender.champion, data, _SEED).predict(test)
    model = _classifier(contender)
    weight = np.where(label == 1, contender.positive_weight, 1.0)
    model.fit(features, label, sample_weight=weight)
    if contender.forest is not None:
        # Two threads would add the trees' votes in an order of their own, and round differently.
        model.set_params(n_jobs=1)
    return np.asarray(model.predict_proba(test)[:, 1], dtype=np.float64)


def _classifier(contender: Contender) -> Any:
    if contender.forest is not None:
        from sklearn.ensemble import RandomForestClassifier

        size, depth = contender.forest.trees, contender.forest.depth
        return RandomForestClassifier(size, max_depth=depth, random_state=_SEED, n_jobs=_THREADS)
    from sklearn.tree import DecisionTreeClassifier

    depth = contender.tree.depth if contender.tree is not None else None
    return DecisionTreeClassifier(max_depth=depth, random_state=_SEED)
