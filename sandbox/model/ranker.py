"""Ranking in two stages: collaborative filtering picks candidates, boosted trees order them.

The feature matrix names request, user and item in columns of their own. No tree sees those; they
say who belongs together and whose vectors to look up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.model.estimators import Trees, fit_booster, load_trees
from sandbox.model.factors import (
    Factors,
    array_from,
    fit_factors,
    load_factors,
    places_of,
    popularity_of,
    stored_array,
)
from sandbox.spec.model import Retrieval, XGBoost
from sandbox.task.slates import SlateColumns, top_of_groups

__all__ = ["RANKERS", "ByPopularity", "Ranker", "fit_by_popularity", "fit_ranker", "load_ranker"]

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
RANKERS = ("ranker", "popularity")
"""Families that `load_ranker` knows."""
_FOLDS = 3


@dataclass(frozen=True)
class ByPopularity:
    """The share of clicks of each item: the order that needs to know nobody."""

    item: int
    """Column of the feature matrix."""
    items: Ints
    """Ids in ascending order, shape (i,)."""
    share: Floats
    """Shape (i,)."""
    mean: float
    """For items that are not among them."""
    family: str = "popularity"

    def predict(self, features: Matrix) -> Floats:
        """Return shares of clicks, shape (n,), for features of shape (n, f)."""
        place, known = places_of(self.items, features[:, self.item])
        return np.where(known, self.share[place], self.mean)

    def files(self) -> dict[str, bytes]:
        """Return ``popularity.json``, and arrays of ids and shares."""
        plain = {"item": self.item, "mean": self.mean}
        stored = {"popularity.json": json.dumps(plain).encode()}
        return stored | {
            "items.npy": stored_array(self.items),
            "share.npy": stored_array(self.share),
        }


@dataclass(frozen=True)
class Ranker:
    """Boosted trees over the features and, after retrieval, the nearness of user and item."""

    slate: SlateColumns
    trees: Trees
    factors: Factors | None = None
    """Null: no first stage."""
    keep: int = 0
    """Candidates of a request that the trees rank."""
    family: str = "ranker"

    def predict(self, features: Matrix) -> Floats:
        """Return scores in [0, 1], shape (n,); 0 for what the first stage does not keep.

        They are chances of a click as the trees see them. All candidates of a request are to be in
        one batch.
        """
        if not len(features):
            return np.empty(0)
        near = self._nearness(features)
        score = self.trees.predict(_inputs(features, self.slate, near))
        if near is not None:
            score[~top_of_groups(near[:, 0], features[:, self.slate.request], self.keep)] = 0.0
        return score

    def files(self) -> dict[str, bytes]:
        """Return ``ranker.json``, ``trees.ubj`` and the factors."""
        plain = {
            "slate": self.slate.all,
            "kind": self.slate.kind,
            "keep": self.keep,
            "factors": self.factors is not None,
        }
        stored = {"ranker.json": json.dumps(plain).encode(), **self.trees.files()}
        if self.factors is not None:
            stored |= {f"factors/{name}": data for name, data in self.factors.files().items()}
        return stored

    def _nearness(self, features: Matrix) -> Floats | None:
        if self.factors is None:
            return None
        return _near(self.factors, *_who_and_what(features, self.slate))


def fit_ranker(
    spec: XGBoost,
    retrieval: Retrieval | None,
    features: Matrix,
    label: Floats,
    slate: SlateColumns,
    rng: np.random.Generator,
) -> Ranker:
    """Fit factors, and trees that say how likely a click on each candidate is.

    Parameters
    ----------
    features, label
        Shapes (n, f) and (n,): candidates whose label is known, 1 for a click.
    rng
        Divides requests into folds, starts the factors, drives the trees.

    Notes
    -----
    The trees learn candidate by candidate (pointwise). Pairs of a request (``rank:ndcg``,
    LambdaMART) gave the same NDCG within noise here for three times the time, and no chances.

    Nearness to something that somebody clicked in the same row is no nearness but a memory: while
    the trees learn, that of a row comes from factors of the other requests.
    """
    request = features[:, slate.request].astype(np.int64)
    factors, near = None, None
    if retrieval is not None:
        user, item, kind = _who_and_what(features, slate)
        rank = retrieval.factors
        names, code = np.unique(request, return_inverse=True)
        fold = (rng.permutation(len(names)) % _FOLDS)[code]
        near = np.empty((len(label), 1 if kind is None else 2))
        for number in range(_FOLDS):
            mine = fold == number
            of_kind = (None, None) if kind is None else (kind[~mine], kind[mine])
            others = fit_factors(user[~mine], item[~mine], label[~mine], rank, rng, of_kind[0])
            near[mine] = _near(others, user[mine], item[mine], of_kind[1])
        factors = fit_factors(user, item, label, rank, rng, kind)
    objective, seed = {"objective": "binary:logistic", "base_score": 0.5}, int(rng.integers(2**31))
    trees = fit_booster(spec, _inputs(features, slate, near), label, objective, seed)
    return Ranker(slate, trees, factors, retrieval.keep if retrieval else 0)


def fit_by_popularity(features: Matrix, label: Floats, slate: SlateColumns) -> ByPopularity:
    """Count clicks by item; an item that was seldom shown is near the mean. See `fit_ranker`."""
    items, share, mean = popularity_of(features[:, slate.item], label)
    return ByPopularity(slate.item, items, share, mean)


def load_ranker(family: str, files: Mapping[str, bytes]) -> Ranker | ByPopularity:
    """Read back what `Ranker.files` or `ByPopularity.files` gave; errors as of `load_estimator`."""
    if family == "popularity":
        plain = json.loads(files["popularity.json"])
        items, share = (array_from(n, files[f"{n}.npy"]) for n in ("items", "share"))
        if not len(items) == len(share) > 0:
            raise ValueError("ids and shares do not fit each other")
        return ByPopularity(int(plain["item"]), items, share, float(plain["mean"]))
    plain = json.loads(files["ranker.json"])
    own = {path.removeprefix("factors/"): data for path, data in files.items()}
    factors = load_factors(own) if plain["factors"] else None
    kind = plain["kind"]
    request, user, item = (int(at) for at in plain["slate"])
    slate = SlateColumns(request, user, item, None if kind is None else int(kind))
    return Ranker(slate, load_trees(files["trees.ubj"]), factors, int(plain["keep"]))


def _who_and_what(features: Matrix, slate: SlateColumns) -> tuple[Ints, Ints, Ints | None]:
    """Return users, items and, where it is known, the kind of each item (-1: not of this one)."""
    user, item = (features[:, at].astype(np.int64) for at in (slate.user, slate.item))
    if slate.kind is None:
        return user, item, None
    return user, item, np.nan_to_num(features[:, slate.kind], nan=-1.0).astype(np.int64)


def _near(factors: Factors, user: Ints, item: Ints, kind: Ints | None) -> Floats:
    """Return how near each user is to the item and, in a second column, to its kind."""
    near = factors.affinity(user, item)[:, None]
    return near if kind is None else np.column_stack([near, factors.taste(user, kind)])


def _inputs(features: Matrix, slate: SlateColumns, near: Floats | None) -> Matrix:
    """Return what trees see: no names, and how near user and item are."""
    seen = np.delete(features, slate.all, axis=1)
    return seen if near is None else np.column_stack([seen, near.astype(np.float32)])
